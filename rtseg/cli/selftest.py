"""``rtseg selftest``: whether an engine still does, on this machine, what its manifest says."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from rtseg.cli._engine_arguments import add_engines_argument, named_engine

if TYPE_CHECKING:
    from rtseg.backends.manifest import Latency
    from rtseg.export.proof import SelfTest

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DESCRIPTION = """\
Runs an engine over the demo drive, whose truth is known, and compares mean IoU and class shares
with its manifest: the check to run on a device after a build or an update. An engine that was built
where it could not run is compared with what its network scored. The status is 1 where they differ.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``selftest``."""
    parser = subparsers.add_parser(
        "selftest", help="run an engine and compare with its manifest", description=DESCRIPTION
    )
    parser.add_argument("engine", metavar="ENGINE", help="an engine's folder, or its name")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    add_engines_argument(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the test; 1 where the engine is not what its manifest says."""
    from rtseg.backends import load_engine
    from rtseg.export.latency import measured_latency
    from rtseg.export.proof import self_test

    folder = named_engine(arguments.engine, arguments.engines)
    with load_engine(folder, arguments.device, reason="self-test") as engine:
        found = self_test(engine, folder.manifest)
        latency = measured_latency(engine)
        title = str(engine.info)
    if arguments.json:
        sys.stdout.write(json.dumps(_as_json(title, found, latency), indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _lines(title, found, latency)))
    return 1 if found.failures else 0


def _lines(title: str, found: SelfTest, latency: Latency) -> list[str]:
    lines = [title]
    if found.score.mean_iou is not None and found.expected.mean_iou is not None:
        whose = "this engine" if found.of_this_engine else "its network"
        lines.append(
            f"demo drive: mean IoU {100 * found.score.mean_iou:.2f} %, "
            f"{whose} had {100 * found.expected.mean_iou:.2f} %"
        )
    lines.append(
        f"{latency.p50_ms:.1f} ms a call (median), p99 {latency.p99_ms:.1f} ms, "
        f"{latency.fps:.1f} pictures a second"
    )
    return [*lines, *(f"failed: {each}" for each in found.failures or ())] + (
        [] if found.failures else ["passed"]
    )


def _as_json(title: str, found: SelfTest, latency: Latency) -> dict[str, Any]:
    return {
        "engine": title,
        "passed": not found.failures,
        "failures": list(found.failures),
        "score": found.score.as_json(),
        "expected": found.expected.as_json(),
        "of_this_engine": found.of_this_engine,
        "latency": latency.model_dump(),
    }
