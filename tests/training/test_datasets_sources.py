"""Opening, joining, mapping and auditing data sets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from rtseg.classes import CAMVID, VOID
from rtseg.config import validate
from rtseg.errors import ConfigError, DataError
from rtseg.training.datasets import (
    DATASETS,
    DataSource,
    DemoConfig,
    Sample,
    data_root,
    load_dataset_config,
    open_dataset,
    open_sources,
)
from rtseg.training.datasets.audit import audit

DEMO = {
    "layout": "demo", "width_px": 64, "height_px": 48, "spacing_s": 0.5,
    "splits": {
        "train": {"seeds": [1, 2], "pictures_per_seed": 3},
        "val": {"seeds": [3], "pictures_per_seed": 2},
    },
}  # fmt: skip

OTHER = {
    "layout": "folder", "root": "other", "pictures": "{name}.jpg",
    "masks": {"path": "{name}.png", "values": "ids"}, "splits": {"train": {}}, "class_set": "other",
    "classes": [
        {"name": "tarmac", "colour": [1, 1, 1], "ids": [5]},
        {"name": "bush", "colour": [2, 2, 2], "ids": [6]},
        {"name": "cow", "colour": [3, 3, 3], "ids": [7]},
    ],
    "void": {"ids": [0]},
}  # fmt: skip

MAPPED = {
    "layout": "mapped", "data": "other.yaml", "classes_of": "demo.yaml",
    "map_to": {"tarmac": "Road", "bush": "tree", "cow": None},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTSEG_DATA", str(tmp_path))
    for name, values in (("demo", DEMO), ("other", OTHER), ("mapped", MAPPED)):
        write(tmp_path / f"{name}.yaml", values)
    (tmp_path / "other").mkdir()
    cv2.imwrite(str(tmp_path / "other/a.jpg"), np.zeros((1, 4), np.uint8))
    cv2.imwrite(str(tmp_path / "other/a.png"), np.array([[0, 5, 6, 7]], np.uint8))
    return tmp_path


def write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(values))


def names(folder: Path, *sources: dict[str, Any]) -> list[str]:
    return open_sources([DataSource(**source) for source in sources], folder).names


TRAIN = {"data": "demo.yaml", "split": "train"}
ALL = [f"seed000{seed}_{frame:06d}" for seed in (1, 2) for frame in (0, 15, 30)]


def test_sources_are_filtered_thinned_and_repeated(folder: Path) -> None:
    assert names(folder, TRAIN) == ALL
    assert names(folder, {**TRAIN, "include": ["*_000000", "seed0002*"]}) == [ALL[0], *ALL[3:]]
    assert names(folder, {**TRAIN, "exclude": ["seed0001*"]}) == ALL[3:]
    assert names(folder, {**TRAIN, "limit": 3}) == [ALL[0], ALL[2], ALL[5]]
    assert names(folder, {**TRAIN, "limit": 100}) == ALL
    assert names(folder, {**TRAIN, "limit": 1, "repeat": 3}) == [ALL[0]] * 3


def test_sources_are_joined_in_order(folder: Path) -> None:
    sources = [
        DataSource(data=Path("demo.yaml"), split="val", repeat=2),
        DataSource(data=Path("mapped.yaml"), split="train"),
        DataSource(data=Path("demo.yaml"), split="train", limit=2),
    ]
    dataset = open_sources(sources, folder)
    assert dataset.classes == CAMVID
    assert [dataset[index].name for index in (4, 3)] == [dataset.names[4], dataset.names[3]]
    assert dataset.names[:5] == ["seed0003_000000", "seed0003_000015"] * 2 + ["a"]


@pytest.mark.parametrize("key", ["include", "exclude"])
def test_a_pattern_that_fits_nothing_is_named(folder: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=r"'seed0007\*' fits none of the 6 pictures.*'seed0001_0"):
        names(folder, {**TRAIN, key: ["seed0001*", "seed0007*"]})


def test_leaving_nothing_is_an_error(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no picture is left of 6"):
        names(folder, {**TRAIN, "exclude": ["*"]})
    with pytest.raises(ConfigError, match="no data source"):
        open_sources([], folder)


def test_sources_of_other_classes_are_refused(folder: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"demo\.yaml \(11 of 'camvid'.*other\.yaml \(3 of 'other'"
    ):
        names(folder, TRAIN, {"data": "other.yaml", "split": "train"})


def test_a_source_is_found_beside_the_file_that_names_it_or_in_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "runs").mkdir()
    source = DataSource(data=Path("../demo.yaml"), split="val")
    assert len(open_sources([source], folder / "runs")) == 2
    source = DataSource(data=Path("demo.yaml"), split="val")
    assert len(open_sources([source], folder / "runs")) == 2
    source = DataSource(data=Path("none.yaml"), split="val")
    with pytest.raises(ConfigError, match=r"none\.yaml; looked for .*/runs/none\.yaml and .*none"):
        open_sources([source], folder / "runs")


def test_a_mapped_set_has_the_classes_of_another(folder: Path) -> None:
    dataset = open_dataset(folder / "mapped.yaml", "train")
    assert dataset.classes == CAMVID
    road, tree = CAMVID.id_of("Road"), CAMVID.id_of("Tree")
    assert dataset[0].labels.tolist() == [[VOID, road, tree, VOID]]


@pytest.mark.parametrize(
    ("map_to", "problem"),
    [
        ({"tarmac": "Road", "bush": "Tree"}, r"mapped\.yaml: map_to says nothing about 'cow'"),
        ({**MAPPED["map_to"], "bush": "Tre"}, r"map_to\.bush: .*no class 'Tre'.*'tree'"),
        ({**MAPPED["map_to"], "bushes": "Tree"}, r"no class 'bushes'\. Did you mean 'bush'"),
    ],
)
def test_a_wrong_mapping_is_named(folder: Path, map_to: dict[str, Any], problem: str) -> None:
    write(folder / "mapped.yaml", {**MAPPED, "map_to": map_to})
    with pytest.raises(ConfigError, match=problem):
        open_dataset(folder / "mapped.yaml", "train")


def test_cityscapes_is_mapped_to_camvid_as_the_tables_say(repository: Path) -> None:
    path = repository / "configs/datasets/cityscapes_as_camvid.yaml"
    config = load_dataset_config(path)
    assert config.read_classes(path.parent) == CAMVID
    groups = {
        "Sky": "sky", "Building": "building,wall", "Pole": "pole", "Road": "road",
        "Pavement": "sidewalk", "Tree": "vegetation", "SignSymbol": "traffic light,traffic sign",
        "Fence": "fence", "Car": "car,truck,bus", "Pedestrian": "person",
        "Bicyclist": "rider,bicycle,motorcycle",
    }  # fmt: skip
    wanted = {name: target for target, row in groups.items() for name in row.split(",")}
    assert config.model_dump()["map_to"] == {**wanted, "terrain": None, "train": None}


def test_demo_pictures_are_the_same_from_any_thread_in_any_order(folder: Path) -> None:
    dataset = open_dataset(folder / "demo.yaml", "train")
    with ThreadPoolExecutor(4) as threads:
        samples = list(threads.map(dataset.__getitem__, range(len(dataset))))
    assert [sample.name for sample in samples] == ALL
    fresh = open_dataset(folder / "demo.yaml", "train")
    for index in (5, 3):
        np.testing.assert_array_equal(fresh[index].image_bgr, samples[index].image_bgr)
        np.testing.assert_array_equal(fresh[index].labels, samples[index].labels)
    assert (samples[3].image_bgr != samples[0].image_bgr).any()


def test_demo_splits_share_no_drive(repository: Path) -> None:
    shared = {**DEMO["splits"], "test": {"seeds": [9, 2], "pictures_per_seed": 1}}  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match="the seed 2 stands in 'train' and in 'test'"):
        validate(DemoConfig, {**DEMO, "splits": shared}, "demo.yaml")
    config = load_dataset_config(repository / "configs/datasets/demo.yaml")
    assert config.split_names(repository) == ["train", "val", "test"]


def test_every_config_can_be_read(repository: Path) -> None:
    paths = sorted((repository / "configs/datasets").glob("*.yaml"))
    assert len(paths) >= 8
    for path in paths:
        config = load_dataset_config(path)
        assert config.layout in DATASETS
        assert config.title
        assert "train" in config.split_names(path.parent)
        assert len(config.read_classes(path.parent)) > 1


def test_the_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTSEG_DATA", "/somewhere")
    assert data_root() == Path("/somewhere")
    monkeypatch.delenv("RTSEG_DATA")
    (tmp_path / "here/data").mkdir(parents=True)
    (tmp_path / "shared/data").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert data_root() == tmp_path / "here/data"
    monkeypatch.chdir(tmp_path / "there")
    assert data_root() == tmp_path / "shared/data"


def test_a_sample_is_checked() -> None:
    image, labels = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6), np.uint8)
    assert repr(Sample(image, labels, "a")) == "Sample('a', 6x4)"
    with pytest.raises(DataError, match="a: the mask is 4x6 but its picture 6x4"):
        Sample(image, labels.T, "a")
    with pytest.raises(DataError, match=r"a: the picture is float64 \[4, 6, 3\]"):
        Sample(image.astype(float), labels, "a")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"a: the labels are uint8 \[4, 6, 3\]"):
        Sample(image, image, "a")


def test_an_audit_counts_everything_and_gathers_problems(folder: Path) -> None:
    cv2.imwrite(str(folder / "other/b.jpg"), np.zeros((2, 4), np.uint8))
    cv2.imwrite(str(folder / "other/b.png"), np.full((2, 4), 6, np.uint8))
    cv2.imwrite(str(folder / "other/c.jpg"), np.zeros((2, 4), np.uint8))
    (folder / "other/d.jpg").write_bytes(b"")
    cv2.imwrite(str(folder / "other/d.png"), np.full((2, 4), 9, np.uint8))
    found = audit(open_dataset(folder / "other.yaml", "train", check_files=False))
    assert found.sizes == {(4, 1): 1, (4, 2): 1}
    assert found.readable == (0, 1)
    assert found.shares == [1 / 11, 9 / 11, 1 / 11]
    assert found.pictures[:3].tolist() == [1, 2, 1]
    assert found.void_share == 1 / 12
    assert [problem.split("/")[-1] for problem in found.problems] == [
        "c.png",
        "d.jpg is empty; copy it again",
    ]
    values = found.to_dict()
    assert values["pictures"] == 4
    assert values["classes"][1] == {
        "id": 1, "name": "bush", "colour_rgb": [2, 2, 2], "pixels": 9,
        "share_of_labelled": 9 / 11, "pictures": 2,
    }  # fmt: skip
