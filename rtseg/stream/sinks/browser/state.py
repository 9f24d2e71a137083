"""What the page is told of a stream, as JSON."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtseg.stream.events import Event
from rtseg.stream.latency import Percentiles
from rtseg.stream.overlay.palette import palette_bgr
from rtseg.stream.sinks.browser.camera import Camera
from rtseg.stream.sinks.movie_file import MOVIE_SUFFIXES


def describe(camera: Camera) -> dict[str, Any]:
    """Return what doesn't change while a stream runs."""
    info = camera.info
    height, width = info.source.hw
    return {
        "key": camera.key,
        "name": camera.name,
        "engine": info.engine,
        "live": info.source.live,
        "width": width,
        "height": height,
        "source_fps": info.source.fps,
        "records": any(Path(output).suffix.lower() in MOVIE_SUFFIXES for output in info.outputs),
        "classes": list(info.classes.names),
        "colours": {
            "classes": _colours(camera, "classes"),
            "colour-blind": _colours(camera, "colour-blind"),
        },
    }


def state_of(camera: Camera) -> dict[str, Any]:
    """Return what changes, of the moment; cheap enough for four times a second."""
    info, controls, times = camera.info, camera.info.controls, camera.info.latency
    lost_s = info.reception.lost_s
    return {
        "key": camera.key,
        "pictures": camera.num_pictures,
        "fps": round(camera.fps(), 2),
        "age_ms": round(camera.age_ms, 1),
        "silent_s": round(camera.silent_s(), 2),
        "stale": camera.is_stale(),
        "stages_ms": {name: round(ms, 2) for name, ms in camera.stage_means_ms()},
        "drops": dict(times.drops),
        "shares": [round(share, 4) for share in camera.shares()],
        "lost_s": None if lost_s is None else round(lost_s, 1),
        "notice": info.reception.notice(),
        "reason": info.reception.reason if lost_s is not None else "",
        "losses": info.reception.num_losses,
        "attempts": info.reception.num_attempts,
        "paused": controls.paused,
        "recording": controls.recording,
        "overlay": controls.style.model_dump(mode="json"),
    }


def figures_of(camera: Camera) -> dict[str, Any]:
    """Return the percentiles of the whole stream so far."""
    times = camera.info.latency
    return {
        "age_ms": _percentiles(times.age()),
        "stages_ms": {name: _percentiles(values) for name, values in times.stages().items()},
        "shares_of_age": {name: round(share, 4) for name, share in times.shares().items()},
        "uptime_s": round((time.monotonic_ns() - camera.opened_ns) / 1e9, 1),
    }


def events_as_json(camera: Camera, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Return events as the page takes them."""
    return [
        {
            "camera": camera.key,
            "number": event.number,
            "kind": event.kind,
            "text": event.text,
            "at_s": round(event.at_s, 3),
            "values": dict(event.values),
        }
        for event in events
    ]


def health_of(camera: Camera) -> dict[str, Any]:
    """Return whether a camera's pictures come, and since when they don't."""
    return {
        "key": camera.key,
        "ok": not camera.is_stale(),
        "silent_s": round(camera.silent_s(), 2),
        "stale_after_s": round(camera.stale_after_s(), 2),
        "paused": camera.info.controls.paused,
        "pictures": camera.num_pictures,
        "notice": camera.info.reception.notice(),
    }


def _percentiles(times: Percentiles) -> dict[str, float]:
    names = ("mean", "p50", "p90", "p99", "max")
    figures = {name: round(getattr(times, name), 2) for name in names}
    return {"count": times.count, **figures}


def _colours(camera: Camera, palette: Literal["classes", "colour-blind"]) -> list[str]:
    classes = camera.info.classes
    table = palette_bgr(classes, palette)[: len(classes)]
    return ["#" + bytes(np.asarray(colour)[::-1].tolist()).hex() for colour in table]
