"""The data folder: which data sets of the configurations are there to train and evaluate on."""

from __future__ import annotations

from collections.abc import Iterator

from rtseg.cli._doctor.finding import Finding


def probe() -> Iterator[Finding]:
    """Look at the folder that data sets are looked for in."""
    from rtseg.training.datasets import data_root

    folder = data_root()
    if not folder.is_dir():
        yield Finding(
            "data folder",
            "missing",
            f"no {folder}; only training and evaluation need it",
            "if wanted: export RTSEG_DATA=FOLDER; configs/datasets says what belongs there",
        )
        return
    inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
    yield Finding("data folder", "ok", f"{folder} with {', '.join(inside) or 'nothing in it'}")
