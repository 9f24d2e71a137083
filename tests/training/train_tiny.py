"""`rtseg` with networks that are small enough for tests: python train_tiny.py train CONFIG …"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rtseg.networks import MAIN, NETWORKS, NetworkCard, NetworkEntry, SegmentationNetwork
from rtseg.networks.network import TrainingHead


class TinyNetwork(SegmentationNetwork):
    """Three convolutions; with batch normalisation and dropout, or without both."""

    size_multiple = 4
    min_size = 8
    training_modules = ("auxiliary_head",)

    def __init__(self, num_classes: int, plain: bool = False) -> None:
        super().__init__(num_classes)
        extras = [] if plain else [nn.BatchNorm2d(16), nn.Dropout(0.1)]
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2), *extras, nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU()
        )
        self.classifier = nn.Conv2d(16, num_classes, 1)
        self.auxiliary_head = nn.Conv2d(16, num_classes, 3, padding=1)
        self.heads = {MAIN: TrainingHead(1.0), "auxiliary": TrainingHead(0.4)}

    def forward(self, images: Tensor) -> Tensor:
        self.check_size(images)
        return self.classifier(self.body(images))

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.body(images)
        return {MAIN: self.classifier(maps), "auxiliary": self.auxiliary_head(maps)}


class BreakingNetwork(TinyNetwork):
    """From the sixth batch on its logits are no numbers."""

    calls = 0

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        self.calls += 1
        factor = 1.0 if self.calls <= 5 else torch.nan
        return {name: factor * logits for name, logits in super().forward_train(images).items()}


def register() -> list[str]:
    card = NetworkCard("Tiny", "none", "none", "three convolutions", 1, 0.0)
    builds = {
        "tiny": TinyNetwork,
        "tiny-plain": partial(TinyNetwork, plain=True),
        "tiny-that-breaks": BreakingNetwork,
    }
    for name, build in builds.items():
        NETWORKS.add(name, NetworkEntry(build, card))
    return list(builds)


if __name__ == "__main__":
    from rtseg.cli import main

    torch.set_num_threads(1)
    register()
    sys.exit(main(sys.argv[1:]))
