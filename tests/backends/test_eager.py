"""Programs on disk hold no pickles, and one that does is not opened."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from rtseg.backends.eager import eager_precision, refuse_pickles
from rtseg.errors import ConfigError, EngineError


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("something was unpickled",))


def archive(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(name.replace("__", "/"), content)
    return path


def test_a_program_with_sample_inputs_is_refused(tmp_path: Path) -> None:
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(2),))
    torch.export.save(program, tmp_path / "program.pt2")
    with pytest.raises(EngineError, match=r"pickled objects.*sample_inputs"):
        refuse_pickles(tmp_path / "program.pt2")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    index = json.dumps({"config": {"weight": {"path_name": "weight_0", "use_pickle": True}}})
    path = archive(
        tmp_path / "p.pt2",
        p__data__weights__model_weights_config=b"",
        **{"p__data__weights__model_weights_config.json": index.encode()},
        p__data__weights__weight_0=pickle.dumps(Bomb()),
    )
    with pytest.raises(EngineError, match="pickled objects"):
        refuse_pickles(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive" * 100])
def test_damaged_archives_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "program.pt2"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="can't be read as an exported program"):
        refuse_pickles(path)


def test_a_checkpoint_in_disguise_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, buffer)
    path = tmp_path / "program.pt2"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(EngineError, match="pickled objects"):
        refuse_pickles(path)


def test_precisions_by_name() -> None:
    cpu = torch.device("cpu")
    assert eager_precision("fp16", cpu) == "fp16"
    assert eager_precision("auto", torch.device("cuda")) == "fp16"
    with pytest.raises(ConfigError, match="allowed: auto, fp32, bf16, fp16"):
        eager_precision("int8", cpu)
