"""What the dense CRF does to an evaluation: its settings, and the measures with and without it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console

from rtseg.config import apply_overrides, validate
from rtseg.dense_crf import DenseCrfConfig
from rtseg.training.evaluate import Evaluation, percent
from rtseg.training.predictor import Predictor


def read_crf(settings: Iterable[str]) -> DenseCrfConfig:
    """Return the configuration with every ``key=value`` of --crf-set.

    Raises:
        ConfigError: a key is unknown or a value out of range.
    """
    return validate(DenseCrfConfig, apply_overrides({}, settings), "--crf-set")


def show_effect(console: Console, plain: Evaluation, refined: Evaluation) -> None:
    """Print every measure without and with the dense CRF, in percent, and what it costs."""
    from rtseg.cli._evaluation import TITLES

    console.print(f"{'':<24}{'without':>9}{'with dense CRF':>16}")
    after = refined.metrics()
    for key, value in plain.metrics().items():
        console.print(f"{TITLES[key]:<24}{percent(value):>7} %{percent(after[key]):>14} %")
    console.print(f"the dense CRF took {1000 * _seconds(plain, refined):.0f} ms a picture")


def crf_values(predictor: Predictor, plain: Evaluation | None) -> dict[str, object]:
    """Return what the JSON file holds besides: the settings, and the measures without the CRF."""
    if predictor.crf is None or plain is None:
        return {"dense_crf": None}
    values = plain.to_dict()
    without = {key: values[key] for key in ("metrics", "classes", "seconds")}
    return {"dense_crf": predictor.crf.model_dump(), "without_dense_crf": without}


def _seconds(plain: Evaluation, refined: Evaluation) -> float:
    return max(0.0, refined.seconds - plain.seconds) / len(refined.pictures)
