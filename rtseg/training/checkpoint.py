"""The whole state of a training in one file that is either complete or not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rtseg.errors import ConfigError, WeightsError
from rtseg.whole_file import write_whole_file

FORMAT_VERSION = 1

MAY_CHANGE = (
    "data.cache", "evaluate", "export", "licence", "optim.lr", "train.accumulate",
    "train.channels_last", "train.clip", "train.compile", "train.deterministic",
    "train.early_stop", "train.max_minutes", "train.precision", "train.save_every_minutes",
    "train.validate_every", "train.validate_flip",
)  # fmt: skip
"""What a resumed training may set to another value: nothing that makes it another training."""


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; see `write_whole_file`."""
    content = {"format_version": FORMAT_VERSION, **state}
    write_whole_file(path, lambda file: torch.save(content, file))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, tensors on the CPU. No code in the file is run.

    Raises:
        WeightsError: the file is missing, damaged or not a checkpoint of this version.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"no checkpoint at {path}") from None
    except Exception as error:  # what a damaged pickle raises knows no bounds
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path} can't be read as a checkpoint: {first_line[:200]}; start again in another "
            "folder with --output, from best.safetensors with init.weights if it is there"
        ) from error
    version = state.get("format_version") if isinstance(state, dict) else None
    if version != FORMAT_VERSION:
        raise WeightsError(
            f"{path} has checkpoint format {version}; this rtseg reads {FORMAT_VERSION}: go on "
            "with the version that wrote it"
        )
    return dict(state)


def check_config(saved: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> list[str]:
    """Compare the configuration of a checkpoint with the one to go on with.

    Returns:
        The allowed changes, one readable line each; see `MAY_CHANGE`.

    Raises:
        ConfigError: something else differs; lists every key with both values.
    """
    old, new = dict(_flat(saved)), dict(_flat(now))
    changes = {
        key: f"{key}: {old.get(key)!r} in the checkpoint, {new.get(key)!r} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    }
    allowed = [key for key in changes if f"{key}.".startswith(tuple(f"{k}." for k in MAY_CHANGE))]
    refused = [line for key, line in changes.items() if key not in allowed]
    if refused:
        raise ConfigError(
            f"{path} is of another training: {'; '.join(refused)}. Go on with the same "
            "configuration, or start a new run with --output (init.weights takes over weights)"
        )
    return [changes[key] for key in allowed]


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(values, Mapping) and values:
        for key, value in values.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(values, list | tuple) and values:
        for place, value in enumerate(values):
            yield from _flat(value, f"{prefix}.{place}")
    else:
        yield prefix, values
