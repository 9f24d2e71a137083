"""A training's curves as pictures: what happened over its steps, and scores over the threshold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rtseg.training.evaluate import Evaluation
from rtseg.training.history import EpochRecord, read_steps
from rtseg.training.threshold_curve import THRESHOLDS

log = logging.getLogger(__name__)

_POINTS = 400
"""How many points a curve has at most; each is the mean of the steps around it."""


def draw_curves(steps: Path, epochs: Sequence[EpochRecord], path: Path, title: str) -> bool:
    """Draw ``steps.csv`` and the epochs' validations into a PNG, if matplotlib is installed.

    Returns:
        Whether the picture was drawn.
    """
    figure = _figure(title, (8, 8))
    if figure is None:
        return False
    loss, rate, val = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 3))
    columns = read_steps(steps)
    _draw_loss(loss, columns)
    rate.plot(columns.get("step", []), columns.get("lr", []), color="tab:gray")
    rate.set_ylabel("learning rate")
    _draw_validation(val, epochs)
    figure.savefig(path, dpi=110)
    return True


def draw_threshold_curve(evaluation: Evaluation, path: Path, title: str) -> bool:
    """Draw a binary network's scores over the threshold into a PNG, if matplotlib is installed.

    Returns:
        Whether the picture was drawn; not for other networks.
    """
    curve, threshold = evaluation.curve, evaluation.threshold
    if curve is None or threshold is None or (figure := _figure(title, (8, 5))) is None:
        return False
    axes = figure.subplots()
    named = {
        "Dice": curve.dice(), "IoU": curve.iou(), "mean mask precision": curve.mask_precision(),
    }  # fmt: skip
    for name, values in named.items():
        at_threshold = 100 * float(np.interp(threshold, THRESHOLDS, values))
        axes.plot(THRESHOLDS, 100 * values, label=f"{name}: {at_threshold:.1f} %")
    axes.axvline(threshold, color="tab:gray", linestyle="--", label=f"threshold {threshold:.2f}")
    axes.set(xlim=(0, 1), ylim=(0, 100), xlabel="threshold of the probability")
    axes.set_ylabel(f"{evaluation.classes.names[1]}, validation, %")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=110)
    return True


def _figure(title: str, size_inch: tuple[float, float]) -> Any:
    """Return an empty figure of matplotlib's; None, and a line in the log, without that."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        log.info("no picture of the curves: pip install 'rtseg[train]' brings matplotlib")
        return None
    figure = Figure(figsize=size_inch, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    return figure


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
