"""What a finished training leaves: weights with their cards, scores, curves and pictures."""

from __future__ import annotations

import json
from typing import Any

from rtseg.networks.trained import load_trained
from rtseg.training.checkpoint import write_atomically
from rtseg.training.progress import Display
from rtseg.training.session import Session
from rtseg.training.stopping import StopSignals
from rtseg.training.validation import save_weights


def write_report(
    session: Session, signals: StopSignals, display: Display, reason: str
) -> dict[str, Any]:
    """Write the report."""
    metrics: dict[str, Any] = {"reason": reason}
    save_weights(session, session.folder.final, {})
    return metrics
