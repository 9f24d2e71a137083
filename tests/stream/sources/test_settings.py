"""What can be set of a source, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from rtseg.config import validate
from rtseg.errors import ConfigError
from rtseg.stream.sources import SourceConfig


@pytest.mark.parametrize("size", ["1280x720", "1280 X 720", [1280, 720], (1280, 720)])
def test_a_size_is_two_numbers_or_a_word(size: Any) -> None:
    assert validate(SourceConfig, {"size_wh": size}, "test").size_wh == (1280, 720)


@pytest.mark.parametrize("rotate", [90, "90", 90.0])
def test_a_rotation_is_a_number_or_a_word(rotate: Any) -> None:
    assert validate(SourceConfig, {"rotate": rotate}, "test").rotate == "90"


@pytest.mark.parametrize("loop", [True, False, 1, 3])
def test_loop_is_yes_no_or_a_number(loop: bool | int) -> None:
    got = validate(SourceConfig, {"loop": loop}, "test").loop
    assert got == loop
    assert type(got) is type(loop)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size_wh": "big"}, "WIDTHxHEIGHT"),
        ({"size_wh": [0, 10]}, "16"),
        ({"rotate": 45}, "'270'"),
        ({"flip": "up"}, "horizontal"),
        ({"start_s": 5, "end_s": 5}, "later"),
        ({"start_s": -1}, "0"),
        ({"stride": 0}, "1"),
        ({"loop": -1}, "1"),
        ({"fourcc": "MJPEG"}, "pattern"),
        ({"uri": ""}, "1 character"),
        ({"timeout": 3}, "timeout_s"),
    ],
)
def test_what_is_wrong_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        validate(SourceConfig, values, "test")


def test_every_setting_is_described_and_comes_back_from_its_own_words() -> None:
    for name, field in SourceConfig.model_fields.items():
        assert field.description, name
    config = SourceConfig(uri="0", size_wh=(640, 480), rotate="180", loop=2)
    assert SourceConfig.model_validate(config.model_dump(mode="json")) == config
