"""Data sets behind one contract: a picture, its labels, a name, a class set; void is 255.

One file here is one layout, registered in DATASETS; one YAML file in configs/datasets is one data
set. `dataset.py` is the contract, `folder.py` reads files, `sources.py` opens and joins.
"""

from rtseg.training.datasets.dataset import DATASETS, DatasetConfig, Sample, SegmentationDataset
from rtseg.training.datasets.demo import DemoConfig
from rtseg.training.datasets.folder import FolderConfig
from rtseg.training.datasets.mapped import MappedConfig
from rtseg.training.datasets.root import data_root
from rtseg.training.datasets.run_length import RunLengthConfig
from rtseg.training.datasets.salt_standin import SaltStandinConfig
from rtseg.training.datasets.sources import (
    DataSource,
    load_dataset_config,
    open_dataset,
    open_sources,
)

__all__ = [
    "DATASETS",
    "DataSource",
    "DatasetConfig",
    "DemoConfig",
    "FolderConfig",
    "MappedConfig",
    "RunLengthConfig",
    "SaltStandinConfig",
    "Sample",
    "SegmentationDataset",
    "data_root",
    "load_dataset_config",
    "open_dataset",
    "open_sources",
]
