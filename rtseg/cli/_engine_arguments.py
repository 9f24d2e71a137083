"""What the commands about engines have in common: their folder, their names, their sizes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rtseg.errors import EngineError, closest

if TYPE_CHECKING:
    from rtseg.backends.engine_folder import EngineFolder


def add_engines_argument(parser: argparse.ArgumentParser) -> None:
    """Add --engines."""
    parser.add_argument(
        "--engines",
        type=Path,
        metavar="FOLDER",
        help="where engines are; by default engines/ of the checkout, else the user's cache",
    )


def wh_argument(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT`` as width and height in pixels; for argparse."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no WIDTHxHEIGHT in pixels, such as 512x288")
    return int(parts[0]), int(parts[1])


def named_engine(name: str, engines: Path | None) -> EngineFolder:
    """Open the engine whose folder is `name`, or is called so among the engines.

    Raises:
        EngineError: there is none, or its manifest can't be used.
    """
    from rtseg.backends.engine_folder import MANIFEST, open_engine_folder

    if (Path(name) / MANIFEST).is_file():
        return open_engine_folder(Path(name))
    return open_engine_folder(engine_path(name, engines))


def engine_path(name: str, engines: Path | None) -> Path:
    """Return the folder of the engine called `name`, broken or not.

    Raises:
        EngineError: there is none of that name.
    """
    from rtseg.backends.engine_folder import engine_paths, engines_root

    root = engines_root(engines)
    known = {path.name: path for path in engine_paths(root)}
    if name not in known:
        there = f"It holds {', '.join(known)}" if known else "It holds none; rtseg export makes one"
        raise EngineError(f"no engine {name!r} in {root}.{closest(name, known)} {there}")
    return known[name]
