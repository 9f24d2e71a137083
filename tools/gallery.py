#!/usr/bin/env python3
"""Put the figures of a comparison into docs/networks.md, and draw its chart.

    rtseg compare --data configs/datasets/camvid.yaml --budget 2cpumin
    python tools/gallery.py runs/compare-camvid-2cpumin/comparison.json

The document becomes docs/data/compare_camvid.json, which the page's figures then equal; without an
argument that one is read again. In the page, what stands between the marks

    <!-- figures --> … <!-- /figures -->           is the conditions, the chart and the table,
    <!-- figures: NAME --> … <!-- /figures -->     the figures of one network.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtseg.cli._compare.chart import write_chart
from rtseg.cli._compare.report import heading, percent, problem_lines, table
from rtseg.cli._compare.result import Comparison, NetworkResult
from rtseg.errors import DataError, RtsegError

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "networks.md"
DOCUMENT = ROOT / "docs" / "data" / "compare_camvid.json"
CHART = ROOT / "docs" / "images" / "networks.png"
BLOCK = re.compile(
    r"(?P<begin><!-- figures(?:: (?P<name>[a-z0-9-]+))? -->).*?(?P<end><!-- /figures -->)",
    re.DOTALL,
)


def read_comparison(path: Path) -> Comparison:
    """Return the document of a comparison.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        return Comparison.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"can't read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path} is no comparison.json of rtseg compare: {error}") from None


def filled(page: str, comparison: Comparison) -> str:
    """Return the page with the comparison's figures between its marks.

    Raises:
        DataError: the page names a network that the comparison lacks.
    """
    known = {result.name: result for result in comparison.networks}

    def fill(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return f"{match['begin']}\n{overview(comparison)}\n{match['end']}"
        if name not in known:
            raise DataError(f"{PAGE.name} asks for the figures of {name!r}, which has none")
        return f"{match['begin']}{line(known[name])}{match['end']}"

    return BLOCK.sub(fill, page)


def overview(comparison: Comparison) -> str:
    """Return conditions, chart and table."""
    conditions = "\n".join(f"- {text}" for text in heading(comparison))
    chart = f"![Accuracy against latency, parameters as the area](images/{CHART.name})"
    drawn = any(result.trained and result.timings for result in comparison.networks)
    parts = [conditions, *([chart] if drawn else []), table(comparison).markdown()]
    problems = problem_lines(comparison)
    if problems:
        parts.append("Left out: " + "; ".join(problems) + ".")
    return "\n\n".join(parts)


def line(result: NetworkResult) -> str:
    """Return the figures of one network in a line."""
    height, width = result.count_hw
    parts = [
        f"`{result.name}`: {result.parameters / 1e6:.2f} M parameters, {result.gmacs:.2f} GMACs at "
        f"{height}x{width}"
    ]
    if result.trained is None:
        parts.append("not trained in the comparison")
    else:
        scores = [
            f"mIoU {percent(score.mean_iou)} % on {name}"
            for name, score in result.trained.scores.items()
        ]
        parts.append(f"{', '.join(scores)} after {result.trained.steps} steps")
    latency = result.latency_ms()
    if latency is not None:
        parts.append(f"{latency.median:.0f} ms a picture")
    return "; ".join(parts) + "."


def update(document: Path) -> None:
    """Copy the document, fill the page and draw the chart.

    Raises:
        DataError: a file can't be read or written.
    """
    comparison = read_comparison(document)
    page = filled(PAGE.read_text(encoding="utf-8"), comparison)
    if document.resolve() != DOCUMENT:
        DOCUMENT.write_bytes(document.read_bytes())
    PAGE.write_text(page, encoding="utf-8")
    write_chart(comparison, CHART)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("document", type=Path, nargs="?", default=DOCUMENT, metavar="FILE.json")
    try:
        update(parser.parse_args().document)
    except RtsegError as error:
        sys.stderr.write(f"gallery: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
