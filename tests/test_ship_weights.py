"""Shipped cards tell each figure from the training that had not seen the pictures."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from rtseg.classes import CAMVID
from rtseg.errors import WeightsError
from rtseg.networks import build_network
from rtseg.networks.trained import ModelCard, load_trained, save_trained


@pytest.fixture(scope="module")
def tool(repository: Path) -> dict[str, Any]:
    return runpy.run_path(str(repository / "tools" / "ship_weights.py"))


def write_run(folder: Path, metrics: dict[str, float], network: str = "icnet") -> Path:
    card = ModelCard(
        name="icnet-test",
        network=network,
        classes=CAMVID,
        input_hw=(360, 480),
        training={"epochs": len(metrics), "recipe": {"seed": 0}},
        metrics=metrics,
        licence="none",
    )
    save_trained(folder / "final.safetensors", build_network(network, len(CAMVID)), card)
    return folder


def test_each_figure_comes_from_where_it_was_unseen(tool: dict[str, Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"val/mean_iou": 0.99, "demo/mean_iou": 0.8})
    heldout = {"val/mean_iou": 0.6, "heldout/mean_iou": 0.4, "heldout/iou/Sky": 0.9}
    target = tool["ship"](run, write_run(tmp_path / "heldout", heldout), tmp_path)
    card = load_trained(target).card
    assert card.metrics == {**heldout, "demo/mean_iou": 0.8}
    assert card.training["first_phase"] == {"epochs": 3, "recipe": {"seed": 0}}
    page = target.with_suffix(".md").read_text()
    assert "| mean iou | 60.0 | 40.0 | 80.0 |" in page
    assert "| IoU Sky | - | 90.0 | - |" in page


def test_what_does_not_belong_together_is_refused(tool: dict[str, Any], tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", {"demo/mean_iou": 0.8})
    other = write_run(tmp_path / "other", {"val/mean_iou": 0.6}, "ddrnet-23-slim")
    with pytest.raises(WeightsError, match="RUN is a icnet, HELDOUT_RUN a ddrnet-23-slim"):
        tool["ship"](run, other, tmp_path)
    with pytest.raises(WeightsError, match="no mean IoU on heldout"):
        tool["ship"](run, write_run(tmp_path / "half", {"val/mean_iou": 0.6}), tmp_path)
    assert not (tmp_path / "icnet-test.safetensors").exists()
