"""What a comparison of engine and network found, as JSON and as a picture of the worst frame."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtseg.backends.manifest import Parity
from rtseg.classes import VOID, ClassSet
from rtseg.export.parity import Comparison, percent
from rtseg.frames import Image, Labels
from rtseg.metrics import mean_iou, temporal_consistency

REPORT, PICTURE = "parity.json", "parity.png"
PANEL_WIDTH_PX = 640
CAPTION_PX = 28
DIFFERENT_BGR = (60, 60, 255)


def manifest_parity(comparison: Comparison) -> Parity:
    """Return the part of a comparison that the manifest holds."""
    worst = comparison.worst
    return Parity(
        frames=comparison.frames,
        pictures=", ".join(comparison.sources)[:500],
        pixel_agreement=comparison.pixel_agreement,
        threshold=comparison.threshold,
        worst_frame=worst.frame.index,
        worst_frame_agreement=_number(worst.agreement),
        mean_iou_change=_number(comparison.mean_iou_change),
        iou_change=comparison.iou_change(),
        temporal_consistency_change=_number(comparison.temporal_consistency_change),
    )


def report(comparison: Comparison) -> dict[str, Any]:
    """Return everything that a comparison found, for JSON; shares of 1."""
    worst = comparison.worst
    found: dict[str, Any] = manifest_parity(comparison).model_dump()
    found |= {
        "passed": not comparison.failures(),
        "failures": comparison.failures(),
        "precision": comparison.precision,
        "sources": list(comparison.sources),
        "worst_frame_source": worst.frame.source,
        "agreement_iou": comparison.agreement_by_class(),
        "mean_iou": None,
        "reference_mean_iou": None,
    }
    if comparison.knows_truth:
        found["mean_iou"] = _number(mean_iou(comparison.truth_of_engine))
        found["reference_mean_iou"] = _number(mean_iou(comparison.truth_of_reference))
    if comparison.temporal_of_reference.judged:
        found["temporal_consistency"] = temporal_consistency(comparison.temporal_of_engine)
        found["reference_temporal_consistency"] = temporal_consistency(
            comparison.temporal_of_reference
        )
    return found


def write_report(comparison: Comparison, folder: Path) -> None:
    """Write ``parity.json`` and ``parity.png`` into `folder`."""
    text = json.dumps(report(comparison), indent=1, ensure_ascii=False)
    (folder / REPORT).write_text(f"{text}\n", encoding="utf-8")
    encoded = cv2.imencode(".png", worst_picture(comparison))[1]
    (folder / PICTURE).write_bytes(encoded.tobytes())


def worst_picture(comparison: Comparison) -> Image:
    """Return the worst frame, its labels by network and engine, and where those differ."""
    worst, classes = comparison.worst, comparison.classes
    image = np.asarray(worst.frame.image_bgr, np.uint8)
    panels = [
        (f"worst frame: {worst.frame.source}, number {worst.frame.index}", image),
        ("network, fp32", painted(image, worst.reference, classes)),
        (f"engine, {comparison.precision}", painted(image, worst.labels, classes)),
        (
            f"different: {100 * (1 - worst.agreement):.3f} % of the pixels",
            differences(image, worst.reference, worst.labels),
        ),
    ]
    cells = [_panel(caption, picture) for caption, picture in panels]
    return np.vstack([np.hstack(cells[:2]), np.hstack(cells[2:])])


def painted(image_bgr: Image, labels: Labels, classes: ClassSet) -> Image:
    """Return the picture under the colours of its labels; void stays dark."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(classes)] = np.asarray(classes.colours_rgb, np.uint8)[:, ::-1]
    colours = palette[labels]
    blended = cv2.addWeighted(image_bgr, 0.35, colours, 0.65, 0)
    blended[labels == VOID] //= 3
    return np.asarray(blended, np.uint8)


def differences(image_bgr: Image, reference: Labels, labels: Labels) -> Image:
    """Return the picture, grey and dim, with the pixels red whose labels differ."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY) // 2
    shown = np.repeat(grey[..., None], 3, axis=2)
    shown[reference != labels] = DIFFERENT_BGR
    return np.asarray(shown, np.uint8)


def summary_line(comparison: Comparison) -> str:
    """Return the figures in one line for a person."""
    parts = [f"{percent(comparison.pixel_agreement)} of the pixels as in fp32"]
    if comparison.mean_iou_change is not None:
        parts.append(f"mean IoU {100 * comparison.mean_iou_change:+.2f} points")
    if comparison.temporal_consistency_change is not None:
        change = 100 * comparison.temporal_consistency_change
        parts.append(f"temporal consistency {change:+.2f} points")
    return f"{', '.join(parts)}, over {comparison.frames} frames"


def _panel(caption: str, picture: npt.NDArray[np.uint8]) -> Image:
    """Return a picture at the panel's width under its caption."""
    height = max(1, round(picture.shape[0] * PANEL_WIDTH_PX / picture.shape[1]))
    shrinks = picture.shape[1] > PANEL_WIDTH_PX
    method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    scaled = cv2.resize(picture, (PANEL_WIDTH_PX, height), interpolation=method)
    strip = np.full((CAPTION_PX, PANEL_WIDTH_PX, 3), 24, np.uint8)
    text = caption.encode("ascii", "replace").decode()[:70]
    where = (8, CAPTION_PX - 9)
    cv2.putText(strip, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (230, 230, 230), 1, cv2.LINE_AA)
    return np.vstack([strip, np.asarray(scaled, np.uint8)])


def _number(value: float | None) -> float | None:
    """Return the value, or None where JSON has no word for it."""
    return None if value is None or math.isnan(value) else value
