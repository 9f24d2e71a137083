"""Build an engine whose builder counts its runs and takes its time; run by test_build.py.

Arguments: the folder of engines, a file that gets a line for every build, seconds to take.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from rtseg.classes import CAMVID
from rtseg.export.build import build_engine
from rtseg.export.builder import BUILDERS, Builder, BuildRequest, Built, Log
from rtseg.networks import build_network
from rtseg.networks.trained import ModelCard, TrainedNetwork


class SlowBuilder(Builder):
    """Writes half of its file, waits, and writes the rest."""

    backend = "eager"
    precisions = ("fp32",)

    def __init__(self, runs: Path, seconds: float) -> None:
        self.runs = runs
        self.seconds = seconds

    def require(self, request: BuildRequest) -> None:
        """Return always."""

    def versions(self) -> dict[str, str]:
        return {"torch": str(torch.__version__)}

    def build(self, request: BuildRequest, folder: Path, log: Log) -> Built:
        with (folder / "engine.bin").open("wb") as file:
            file.write(b"half")
            file.flush()
            with self.runs.open("a") as runs:
                runs.write("started\n")
            time.sleep(self.seconds)
            file.write(b"whole")
        return Built(("engine.bin",))


def request() -> BuildRequest:
    with torch.device("meta"):
        network = build_network("deeplabv3plus-mobilenet-v2", len(CAMVID))
    card = ModelCard("slow", "deeplabv3plus-mobilenet-v2", CAMVID, (64, 64))
    return BuildRequest(TrainedNetwork(network, card), "0" * 64, (64, 64), "eager", "fp32")


if __name__ == "__main__":
    root, runs, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    BUILDERS._items["eager"] = SlowBuilder(runs, seconds)
    sys.stdout.write(f"{build_engine(request(), root).path}\n")
