"""A configuration error names the wrong key, what was got and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from rtseg.config import Config, apply_overrides, load_config, load_yaml, validate
from rtseg.errors import ConfigError


class Optimiser(Config):
    rate: float = Field(1e-3, gt=0)
    momentum: float = 0.9


class Source(Config):
    split: str


class Square(Config):
    shape: Literal["square"]
    side_px: int = 1


class Circle(Config):
    shape: Literal["circle"]
    radius_px: int = 1


class Run(Config):
    name: str
    optimiser: Optimiser = Optimiser()
    sources: list[Source] = Field(default=[])
    teacher: Source | None = None
    shapes: list[Annotated[Square | Circle, Field(discriminator="shape")]] = Field(default=[])


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text)
    return path


def test_a_file_and_overrides_make_a_model(tmp_path: Path) -> None:
    path = write(tmp_path, "name: a\nsources: [{split: train}]\n")
    run = load_config(Run, path, ["optimiser.rate=0.5", "sources.0.split=val", "name=b"])
    assert run == Run(name="b", optimiser=Optimiser(rate=0.5), sources=[Source(split="val")])


def test_overrides_leave_what_they_change_untouched() -> None:
    values = {"optimiser": {"rate": 1.0}}
    assert apply_overrides(values, ["optimiser.rate=2", "new.key=[1, 2]"]) == {
        "optimiser": {"rate": 2},
        "new": {"key": [1, 2]},
    }
    assert values == {"optimiser": {"rate": 1.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nnmae: b", r"unknown key 'nmae'\. Did you mean 'name'\?"),
        ("name: a\noptimiser: {rat: 1}", r"'optimiser\.rat'\. Did you mean 'rate'\?"),
        ("name: a\nsources: [{splt: x}]", r"'sources\.0\.splt'\. Did you mean 'split'\?"),
        ("name: a\nteacher: {splt: x}", r"'teacher\.splt'\. Did you mean 'split'\?"),
        (
            "name: a\nshapes: [{shape: square, sid_px: 3}]",
            r"'side_px'\? Known here: shape, side_px$",
        ),
        ("{}", "the key 'name' is missing"),
        ("name: a\noptimiser: {rate: -1}", r"optimiser\.rate is -1: .*greater than 0"),
        ("name: a\noptimiser: {rate: .nan}", r"optimiser\.rate is nan"),
        ("name: a\noptimiser: {rate: fast}", r"optimiser\.rate is 'fast'"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(Run, write(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("name", "key.path=value"),
        ("=3", "key.path=value"),
        ("name.first=3", "'name' holds a plain value"),
        ("sources.7.split=x", "no position in a list of 1"),
        ("name=[", "not valid YAML"),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        apply_overrides({"name": "a", "sources": [{"split": "x"}]}, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "not valid YAML"),
        (b"- 1", "holds a list"),
        (b"\xff\xfe\xff", "can't read"),
        (b"!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        load_yaml(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_yaml(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="can't read"):
        load_yaml(tmp_path)


def test_validation_names_its_origin() -> None:
    with pytest.raises(ConfigError, match=r"^here: "):
        validate(Run, {}, "here")
