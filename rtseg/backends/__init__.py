"""ROOM 2: run compiled networks. One file is one backend; none needs the networks' code."""

from rtseg.backends import eager as _eager  # noqa: F401
from rtseg.backends import inductor as _inductor  # noqa: F401
from rtseg.backends import openvino as _openvino  # noqa: F401
from rtseg.backends import tensorrt as _tensorrt  # noqa: F401
from rtseg.backends.backend import BACKENDS, Backend
from rtseg.backends.base import Engine, EngineInfo, OutputKind, Parallelism, Precision
from rtseg.backends.choice import Choice, Found, Wanted, choose, find_engine
from rtseg.backends.engine_folder import (
    BrokenFolder,
    EngineFolder,
    engines_root,
    list_engines,
    open_engine_folder,
    remove_engine,
)
from rtseg.backends.load import load_engine
from rtseg.backends.manifest import EngineSpec, Latency, Manifest, Parity

__all__ = [
    "BACKENDS",
    "Backend",
    "BrokenFolder",
    "Choice",
    "Engine",
    "EngineFolder",
    "EngineInfo",
    "EngineSpec",
    "Found",
    "Latency",
    "Manifest",
    "OutputKind",
    "Parallelism",
    "Parity",
    "Precision",
    "Wanted",
    "choose",
    "engines_root",
    "find_engine",
    "list_engines",
    "load_engine",
    "open_engine_folder",
    "remove_engine",
]
