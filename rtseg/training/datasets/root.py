"""Where data sets lie on this machine."""

from __future__ import annotations

import os
from pathlib import Path

ROOT_VARIABLE = "RTSEG_DATA"


def data_root() -> Path:
    """Return the folder that the `root:` of a data set is relative to.

    That is $RTSEG_DATA if set; else the first that exists of data and ../shared/data beside the
    working directory and beside the checkout; else data in the working directory.
    """
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        return Path(named).expanduser()
    bases = [Path.cwd()]
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "configs" / "datasets").is_dir():  # not so where the package is installed
        bases.append(checkout)
    for base in bases:
        for folder in (base / "data", base.parent / "shared" / "data"):
            if folder.is_dir():
                return folder
    return Path.cwd() / "data"
