"""What is in a data set, as a page and a sheet: the work of ``rtseg dataset``."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import numpy.typing as npt
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from rtseg.cli._picture_files import write_picture
from rtseg.training.datasets import SegmentationDataset, load_dataset_config, open_dataset
from rtseg.training.datasets.audit import Audit, audit
from rtseg.training.pictures import BACKGROUND, contact_sheet, headed, legend, overlay_labels

PIPED_WIDTH = 100
"""Columns of text where the output is no terminal."""
SHOWN_PROBLEMS = 5
SHOWN_SIZES = 4
SHEET_COLUMNS, SHEET_PICTURES = 3, 12
CELL_WIDTH_PX, LEGEND_ROW_PX = 480, 36


def run(arguments: argparse.Namespace) -> int:
    """Check the data set, show what was found, and draw the sheet."""
    title = load_dataset_config(arguments.config).title or str(arguments.config)
    dataset = open_dataset(
        arguments.config, arguments.split, check_files=False, root=arguments.root
    )
    found = _audit(dataset)
    heading = f"{title}, {arguments.split}: {len(dataset)} pictures"
    if arguments.json:
        values = {"data": str(arguments.config), "split": arguments.split, **found.to_dict()}
        sys.stdout.write(json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    else:
        _show(found, heading)
    if arguments.output and found.readable:
        write_picture(arguments.output, sheet(dataset, found, heading))
    return 2 if found.problems else 0


def sheet(dataset: SegmentationDataset, found: Audit, heading: str) -> npt.NDArray[np.uint8]:
    """Return pictures of the data set with their labels laid over them, and the legend."""
    count = min(SHEET_PICTURES, len(found.readable))
    picks = np.linspace(0, len(found.readable) - 1, count).round().astype(int)
    samples = [dataset[found.readable[pick]] for pick in picks]
    images = [overlay_labels(one.image_bgr, one.labels, dataset.classes) for one in samples]
    (width, height), _ = found.sizes.most_common(1)[0]
    cell_wh = CELL_WIDTH_PX, round(CELL_WIDTH_PX * height / width)
    pictures = contact_sheet(images, [one.name for one in samples], SHEET_COLUMNS, cell_wh)
    return headed(np.hstack([pictures, _legend(found, len(pictures))]), heading)


def _legend(found: Audit, height_px: int) -> npt.NDArray[np.uint8]:
    """Return the legend at the top of a column of background."""
    own_px = min(height_px, round(LEGEND_ROW_PX * (len(found.classes) + 0.5)))
    classes = legend(found.classes, found.shares, own_px)
    below: npt.NDArray[np.uint8] = np.empty((height_px - own_px, *classes.shape[1:]), np.uint8)
    below[:] = BACKGROUND
    return np.vstack([classes, below])


def _audit(dataset: SegmentationDataset) -> Audit:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=len(dataset))
        return audit(dataset, lambda done, _: bar.update(task, completed=done))


def _show(found: Audit, heading: str) -> None:
    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    console.print(heading, markup=False)
    console.print(f"sizes (width x height): {_sizes(found)}")
    console.print(_table(found))
    console.print(f"void: {100 * found.void_share:.2f} % of all pixels")
    absent = [name for name, n in zip(found.classes.names, found.pictures, strict=False) if n == 0]
    if absent and found.readable:
        console.print(f"in no picture: {', '.join(absent)}", markup=False)
    if not found.problems:
        console.print("no problem found")
        return
    console.print(f"{len(found.problems)} pictures can't be used:")
    for problem in found.problems[:SHOWN_PROBLEMS]:
        console.print(f"  {problem}", markup=False, soft_wrap=True)
    if len(found.problems) > SHOWN_PROBLEMS:
        rest = len(found.problems) - SHOWN_PROBLEMS
        console.print(f"  and {rest} more; --json names them all")


def _sizes(found: Audit) -> str:
    shown = [f"{w}x{h} ({n})" for (w, h), n in found.sizes.most_common(SHOWN_SIZES)]
    if len(found.sizes) > SHOWN_SIZES:
        widths, heights = zip(*found.sizes, strict=True)
        shown.append(
            f"{len(found.sizes) - SHOWN_SIZES} more between {min(widths)}x{min(heights)} and "
            f"{max(widths)}x{max(heights)}"
        )
    return ", ".join(shown) or "none"


def _table(found: Audit) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for title in ("id", "", "class", "% of labelled", "pictures"):
        left = title in {"", "class"}
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for index, name in enumerate(found.classes.names):
        red, green, blue = found.classes.colours_rgb[index]
        table.add_row(
            str(index),
            Text("██", style=f"rgb({red},{green},{blue})"),
            Text(name),
            f"{100 * found.shares[index]:.2f}",
            str(found.pictures[index]),
        )
    return table
