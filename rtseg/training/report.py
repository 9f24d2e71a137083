"""What a finished training leaves: scored weights, metrics, curves, pictures and a model card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rtseg.device import device_title, precision_name
from rtseg.networks.trained import load_trained, read_card
from rtseg.training.curves import draw_curves, draw_threshold_curve
from rtseg.training.folder import RunFolder
from rtseg.training.gallery import write_gallery
from rtseg.training.model_card import card_page
from rtseg.training.predictor import Predictor
from rtseg.training.scores import PRECISION, Scores, score_weights
from rtseg.training.session import Session
from rtseg.training.validation import even_threshold, save_weights
from rtseg.whole_file import write_whole_file

Watch = Callable[[str], Callable[[int, int], None]]
"""Makes the callback (done, total) of one pass over pictures from its title."""


def write_report(session: Session, watch: Watch, reason: str) -> dict[str, Any]:
    """Write everything that a finished training leaves; the main process does, the others wait.

    Can be done again: nothing of the training's state is changed.

    Args:
        session: the training.
        watch: shows passes over pictures, and may end one by raising.
        reason: why the training ended.

    Returns:
        The content of ``metrics.json``; empty in the other processes.
    """
    metrics: dict[str, Any] = {}
    if session.group.is_main:
        metrics = _write(session, watch, reason)
    session.group.wait()
    return metrics


def _write(session: Session, watch: Watch, reason: str) -> dict[str, Any]:
    folder = session.folder
    threshold = even_threshold(session)  # until it is chosen, with the scores
    save_weights(session, folder.final, {}, threshold)
    if not folder.best.is_file():  # it ended before the first validation
        save_weights(session, folder.best, {}, threshold)
    best = score_weights(session, folder.best, watch)
    final = score_weights(session, folder.final, watch)
    title = f"{session.config.name}: {session.step} steps, {len(session.epochs)} epochs"
    drawn = {
        folder.curves: draw_curves(folder.steps, session.epochs, folder.curves, title),
        folder.thresholds: draw_threshold_curve(best["val"], folder.thresholds, title),
    }
    _write_pictures(session, best)
    card = card_page(read_card(folder.best), best, _pictures_of(folder, drawn))
    write_whole_file(folder.card, lambda file: file.write(card.encode()))
    metrics = _metrics(session, reason, {"best": best, "final": final})
    text = json.dumps(metrics, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole_file(folder.metrics, lambda file: file.write(text.encode()))
    return metrics


def _write_pictures(session: Session, scores: Scores) -> None:
    folder, device = session.folder, session.group.device
    trained = load_trained(folder.best)
    card = trained.card
    predictor = Predictor(
        trained.network.to(device), card.normalisation, device, PRECISION,
        threshold=card.threshold, padding=card.padding,
    )  # fmt: skip
    title = f"{session.config.name} on validation pictures"
    pictures = scores["val"].pictures
    write_gallery(predictor, session.val, pictures, title, folder.pictures, folder.page)


def _pictures_of(folder: RunFolder, drawn: Mapping[Path, bool]) -> list[tuple[str, str]]:
    """Return (caption, file name) of every picture that is there."""
    captions = {
        folder.curves: "Curves of the training",
        folder.thresholds: "Scores over the threshold, on val",
    }
    return [
        ("Validation pictures, from the worst to the best", folder.pictures.name),
        *((captions[path], path.name) for path, there in drawn.items() if there),
    ]


def _metrics(session: Session, reason: str, weights: dict[str, Scores]) -> dict[str, Any]:
    best_epoch = session.learner.plateau.best_epoch
    return {
        "name": session.config.name,
        "network": session.config.network.name,
        "ended": reason,
        "epochs": len(session.epochs),
        "steps": session.step,
        "minutes": round(session.minutes, 2),
        "seed": session.config.train.seed,
        "device": device_title(session.group.device),
        "processes": session.group.world_size,
        "training_precision": precision_name(session.precision),
        "scoring": f"{PRECISION}, pictures at their own size, no mirroring, void left out",
        "best_epoch": best_epoch + 1 if best_epoch >= 0 else None,
        "weights": {
            f"{kind}.safetensors": {name: one.to_dict() for name, one in scores.items()}
            for kind, scores in weights.items()
        },
        "history": [record.to_dict() for record in session.epochs],
    }
