"""How near an engine comes to what its device computes in large matrix products.

Here and not in `rtseg.bench`, which knows no network.
"""

from __future__ import annotations

from rtseg.bench.job import Machine, Parts
from rtseg.bench.parts import engine_part
from rtseg.bench.report import CaseReport, Report
from rtseg.bench.tables import ABSENT, Grid
from rtseg.errors import RtsegError
from rtseg.networks import padded_hw
from rtseg.networks.counting import count_gmacs
from rtseg.networks.trained import load_trained, weights_file


def rates_grid(report: Report) -> Grid | None:
    """Return the table of the engines whose networks' work can be counted; None without any."""
    rows = []
    for case in report.cases:
        gmacs = _gmacs(case)
        if case.parts is not None and gmacs is not None:
            rows.append(_row(case.parts, gmacs, report.machine))
    if not rows:
        return None
    columns = ("engine", "GMACs", "ms p50", "GFLOP/s", "device's", "of the device's")
    title = f"The engine alone against matrix products on {report.machine.rates_of}"
    return Grid(title, columns, tuple(rows))


def _row(parts: Parts, gmacs: float, machine: Machine) -> tuple[str, ...]:
    names = (engine_part(0), engine_part(machine.cores))
    ms = next(part.wall_ms for part in parts.parts if part.name in names)
    reached = 2 * gmacs / ms * 1000
    rate = machine.gflops.get(parts.precision)
    return (
        parts.engine,
        f"{gmacs:.2f}",
        f"{ms:.2f}",
        f"{reached:.0f}",
        ABSENT if rate is None else f"{rate:.0f}",
        ABSENT if rate is None else f"{100 * reached / rate:.0f} %",
    )


def _gmacs(case: CaseReport) -> float | None:
    """Return the multiply-adds of one picture, 10⁹; None where only the built engine is there."""
    if case.parts is None:
        return None
    try:
        network = load_trained(weights_file(case.case.model)).network
    except RtsegError:
        return None
    width, height = case.parts.input_wh
    return count_gmacs(network, padded_hw((height, width), network.size_multiple, network.min_size))
