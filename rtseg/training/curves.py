"""A training's curves as a picture: loss, learning rate and validation over the steps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.training.history import EpochRecord, read_steps

log = logging.getLogger(__name__)

_POINTS = 400
"""How many points a curve has at most; each is the mean of the steps around it."""


def draw_curves(steps: Path, epochs: Sequence[EpochRecord], path: Path, title: str) -> bool:
    """Draw ``steps.csv`` and the epochs' validations into a PNG, if matplotlib is installed.

    Returns:
        Whether the picture was drawn.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        log.info("no picture of the curves: pip install 'rtseg[train]' brings matplotlib")
        return False
    figure = Figure(figsize=(8, 8), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    loss, rate, val = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 3))
    columns = read_steps(steps)
    _draw_loss(loss, columns)
    rate.plot(columns.get("step", []), columns.get("lr", []), color="tab:gray")
    rate.set_ylabel("learning rate")
    _draw_validation(val, epochs)
    figure.savefig(path, dpi=110)
    return True


def _draw_loss(axes: Any, columns: dict[str, list[float]]) -> None:
    for name in ("loss", *(name for name in columns if name.startswith("main/"))):
        if columns.get(name):
            axes.plot(*_thinned(columns["step"], columns[name]), label=name, linewidth=1)
    axes.set_ylabel("training loss")
    axes.grid(alpha=0.3)
    axes.legend()


def _draw_validation(axes: Any, epochs: Sequence[EpochRecord]) -> None:
    validated = [record for record in epochs if record.val]
    steps = [record.step for record in validated]
    for name, label in (("mean_iou", "mIoU"), ("pixel_accuracy", "pixel accuracy")):
        values = [100 * record.val[name] for record in validated]
        axes.plot(steps, values, marker=".", label=label)
    axes.set_ylabel("validation, %")
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend()


def _thinned(steps: Sequence[float], values: Sequence[float]) -> tuple[Any, Any]:
    """Return means over equal stretches, _POINTS at most."""
    parts = min(_POINTS, len(steps))
    return tuple(
        [float(part.mean()) for part in np.array_split(np.asarray(column), parts)]
        for column in (steps, values)
    )  # type: ignore[return-value]
