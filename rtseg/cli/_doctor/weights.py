"""The shipped weights: that every file is whole and has its card."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from rtseg.cli._doctor.finding import Finding
from rtseg.weights import WEIGHTS_DIR

TITLE = "weights"
REINSTALL = "install rtseg again; in a checkout: git checkout -- rtseg/weights"
CARD_KEY = "rtseg"


def probe() -> Iterator[Finding]:
    """Read every tensor of every file."""
    yield from weights(WEIGHTS_DIR)


def weights(folder: Path) -> list[Finding]:
    """Judge the weights of a folder."""
    files = sorted(folder.glob("*.safetensors"))
    problems = {path.stem: problem for path in files if (problem := damage(path))}
    whole = [path.stem for path in files if path.stem not in problems]
    if not whole:
        yours = Finding(TITLE, "missing", "no shipped weights can be read", REINSTALL, True)
    else:
        yours = Finding(TITLE, "ok", ", ".join(whole))
    damaged = [
        Finding(TITLE, "warn", f"{name}: {problem}", REINSTALL)
        for name, problem in problems.items()
    ]
    return [yours, *damaged]


def damage(path: Path) -> str:
    """Return why a weights file can't be used; empty when it can."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            card = json.loads((file.metadata() or {}).get(CARD_KEY, "null"))
            for name in file.keys():  # noqa: SIM118 - a file isn't iterable
                file.get_tensor(name)
    except (SafetensorError, OSError, ValueError) as error:
        return " ".join(str(error).split())[:160]
    return "" if isinstance(card, dict) else "has no card"
