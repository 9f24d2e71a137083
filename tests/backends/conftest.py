"""Engine folders to look into."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rtseg.backends.engine_folder import EngineFolder, describe_file, write_manifest
from rtseg.backends.machine import this_machine
from rtseg.backends.manifest import ClassTable, EngineSpec, Manifest, Parity
from rtseg.classes import CAMVID

MakeFolder = Callable[..., EngineFolder]

CPU = torch.device("cpu")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "engines"


@pytest.fixture
def make_folder(root: Path) -> MakeFolder:
    def make(
        *, built_at: str = "2026-01-02T03:04:05+00:00", proven: bool = True, **changes: Any
    ) -> EngineFolder:
        values = {
            "model": "linknet-camvid",
            "network": "linknet",
            "weights_sha256": "0" * 64,
            "input_hw": (64, 96),
            "precision": "fp32",
            "backend": "inductor",
            "versions": {"torch": str(torch.__version__)},
            "machine": this_machine(CPU),
            **changes,
        }
        spec = EngineSpec.model_validate(values)
        path = root / spec.folder_name()
        path.mkdir(parents=True)
        engine = path / "engine.bin"
        engine.write_bytes(b"machine code")
        manifest = Manifest(
            spec=spec,
            classes=ClassTable.model_validate(CAMVID.to_dict()),
            mean_rgb=(0.5, 0.5, 0.5),
            std_rgb=(0.2, 0.2, 0.2),
            files=(describe_file(engine),),
            parity=Parity(frames=16, pixel_agreement=1.0, threshold=0.9999) if proven else None,
            built_at=built_at,
        )
        return write_manifest(path, manifest)

    return make
