"""The chart of a comparison: accuracy against latency, parameters as the area."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtseg.cli._compare.labels import Box, place
from rtseg.cli._compare.report import budget_title
from rtseg.cli._compare.result import Comparison
from rtseg.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AREA_PT2 = 9.0
"""Square points of a million parameters."""
LEAST_AREA_PT2 = 14.0
FACE, EDGE, TEXT = "#4477aa", "#22446688", "#222222"
LEGEND_MILLIONS = (1, 10, 100)
_FEW = 32


class Bubble(NamedTuple):
    """One network: latency in ms, accuracy in percent, millions of parameters."""

    name: str
    latency_ms: float
    accuracy: float
    millions: float


def write_chart(comparison: Comparison, path: Path) -> bool:
    """Draw a PNG of the networks that have both figures; return False where there is none.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DataError: the file can't be written.
    """
    drawn = bubbles(comparison)
    if not drawn:
        return False
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_size_in(len(drawn)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw(axes, drawn)
    _describe(axes, comparison)
    figure.draw_without_rendering()  # fixes where the axes are, which the labels go by
    figure.set_layout_engine("none")
    _name(axes, drawn)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise DataError(f"can't write {path}: {error.strerror}") from error
    return True


def require_matplotlib() -> None:
    """Check that charts can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    import importlib.util

    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("matplotlib", "train", "the chart of a comparison")


def bubbles(comparison: Comparison) -> list[Bubble]:
    """Return the networks that can be drawn, large ones first, so that small ones lie on top."""
    found = []
    for result in comparison.networks:
        latency = result.latency_ms()
        if latency is not None and result.headline is not None:
            millions = result.parameters / 1e6
            found.append(Bubble(result.name, latency.median, 100 * result.headline, millions))
    return sorted(found, key=lambda bubble: -bubble.millions)


def _draw(axes: Axes, drawn: list[Bubble]) -> None:
    axes.set_xscale("log")
    axes.scatter(
        [bubble.latency_ms for bubble in drawn],
        [bubble.accuracy for bubble in drawn],
        s=[_area_pt2(bubble.millions) for bubble in drawn],
        color=FACE, alpha=0.55, edgecolors=EDGE,
    )  # fmt: skip
    axes.margins(0.12)
    for millions in LEGEND_MILLIONS:
        label = f"{millions} M parameters"
        axes.scatter([], [], s=_area_pt2(millions), color=FACE, alpha=0.55, label=label)
    axes.legend(
        fontsize=8, frameon=False, ncols=len(LEGEND_MILLIONS), loc="upper left",
        bbox_to_anchor=(0, -0.07), handletextpad=1.2, columnspacing=3, borderpad=2.2,
    )  # fmt: skip


def _describe(axes: Axes, comparison: Comparison) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    conditions, recipe = comparison.conditions, comparison.conditions.recipe
    timing = next(timing for result in comparison.networks for timing in result.timings)
    height, width = recipe.latency.input_hw
    pictures = "a held-out sequence" if recipe.hold_out else "val"
    axes.set_title(
        f"{conditions.data.stem}: every network after {budget_title(comparison)} of training from "
        f"drawn weights", fontsize=11,
    )  # fmt: skip
    axes.set_xlabel(f"latency of one {width}x{height} picture, ms ({timing.hardware})", fontsize=9)
    axes.set_ylabel(f"mean IoU on {pictures}, %", fontsize=9)
    axes.grid(alpha=0.25, which="both", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)


def _name(axes: Axes, drawn: list[Bubble]) -> None:
    """Write each name where it hides neither a bubble nor another name."""
    figure = axes.figure
    points_px = figure.dpi / 72
    centres = axes.transData.transform([(b.latency_ms, b.accuracy) for b in drawn])
    radii = [_area_pt2(bubble.millions) ** 0.5 / 2 * points_px for bubble in drawn]
    discs = [
        Box(x - radius, y - radius, x + radius, y + radius)
        for (x, y), radius in zip(centres, radii, strict=True)
    ]
    texts = [axes.text(0, 0, bubble.name, fontsize=8, color=TEXT) for bubble in drawn]
    extents = [text.get_window_extent() for text in texts]
    frame = axes.get_window_extent()
    boxes = place(
        discs,
        [(extent.width, extent.height) for extent in extents],
        Box(frame.x0, frame.y0, frame.x1, frame.y1),
    )
    to_data = axes.transData.inverted().transform
    for text, box, disc in zip(texts, boxes, discs, strict=True):
        text.set_position(tuple(to_data((box.left, box.bottom))))
        text.set_verticalalignment("bottom")
        start, end = disc.centre, box.nearest(*disc.centre)
        gap = ((end[0] - start[0]) ** 2 + (end[1] - start[1]) ** 2) ** 0.5 - disc.width / 2
        if gap > 6 * points_px:  # too far off to be taken for this bubble's
            (x0, y0), (x1, y1) = to_data(start), to_data(end)
            axes.plot([x0, x1], [y0, y1], color="#888888", linewidth=0.6, zorder=1)


def _size_in(num_bubbles: int) -> tuple[float, float]:
    """Return width and height in inches at which so many names find room."""
    return (10, 6.5) if num_bubbles <= _FEW else (15, 10.5)


def _area_pt2(millions: float) -> float:
    return max(LEAST_AREA_PT2, AREA_PT2 * millions)
