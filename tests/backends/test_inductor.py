"""Packages that can't be loaded say so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from rtseg.backends import BACKENDS, Parallelism
from rtseg.backends.engine_folder import EngineFolder, describe_file, write_manifest
from rtseg.backends.inductor import PACKAGE
from rtseg.errors import EngineError


def test_a_file_that_is_no_package_is_refused(make_folder: Callable[..., EngineFolder]) -> None:
    folder = make_folder()
    (folder.path / PACKAGE).write_bytes(b"PK no package" * 10)
    entry = describe_file(folder.path / PACKAGE)
    changed = folder.manifest.model_copy(update={"files": (entry,)})
    folder = write_manifest(folder.path, changed)
    with pytest.raises(EngineError, match=r"can't load .*package\.pt2"):
        BACKENDS["inductor"].load(folder, torch.device("cpu"), Parallelism())
