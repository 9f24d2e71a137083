"""Figures for Prometheus: ``GET /metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from rtseg.stream.latency import Percentiles
from rtseg.stream.sinks.browser.camera import Camera

CONTENT_TYPE = CONTENT_TYPE_LATEST
_AGE_BUCKETS_S = (0.01, 0.02, 0.033, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10)

Gauges = Callable[[], Iterable[tuple[str, str, float]]]
"""Gives name, help and value of the page's own gauges."""


class Metrics:
    """The figures of one page, in a registry of their own.

    Args:
        cameras: gives the streams of the moment.
        gauges: gives the page's own figures of the moment.
    """

    def __init__(self, cameras: Callable[[], Sequence[Camera]], gauges: Gauges) -> None:
        self._registry = CollectorRegistry()
        self._ages = Histogram(
            "rtseg_frame_age_seconds",
            "Age of a picture when the page gets it, from its capture on.",
            ["camera"],
            buckets=_AGE_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_Streams(cameras))
        self._registry.register(_Page(gauges))

    def saw_age(self, key: str, age_s: float) -> None:
        """Count a picture's age; from any thread."""
        self._ages.labels(key).observe(age_s)

    def text(self) -> bytes:
        """Return all figures as Prometheus reads them."""
        return generate_latest(self._registry)


class _Streams(Collector):
    """What every stream tells, with its key as the label ``camera``."""

    def __init__(self, cameras: Callable[[], Sequence[Camera]]) -> None:
        self._cameras = cameras

    def collect(self) -> Iterator[Metric]:
        cameras = self._cameras()
        for name, text, value in _GAUGES:
            gauge = GaugeMetricFamily(f"rtseg_{name}", text, labels=["camera"])
            for camera in cameras:
                gauge.add_metric([camera.key], value(camera))
            yield gauge
        for name, text, value in _COUNTERS:
            counter = CounterMetricFamily(f"rtseg_{name}", text, labels=["camera"])
            for camera in cameras:
                counter.add_metric([camera.key], value(camera))
            yield counter
        yield _drops(cameras)
        yield _stages(cameras)
        yield _age_quantiles(cameras)


class _Page(Collector):
    """What the page itself tells."""

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, text, value in self._gauges():
            yield GaugeMetricFamily(f"rtseg_{name}", text, value=value)
        if (resident := resident_bytes()) is not None:
            yield GaugeMetricFamily(
                "rtseg_resident_memory_bytes", "Memory of the process.", value=resident
            )


def resident_bytes() -> int | None:
    """Return the process's memory, bytes; None where the system doesn't tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = [line for line in lines if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) * 1024 if found else None


_GAUGES: tuple[tuple[str, str, Callable[[Camera], float]], ...] = (
    ("fps", "Pictures a second.", lambda camera: camera.fps()),
    ("silent_seconds", "Since the last new picture.", lambda camera: camera.silent_s()),
    ("healthy", "1: pictures come, 0: they are stale.", lambda c: float(not c.is_stale())),
    ("lost_seconds", "Without a signal; 0: there is one.", lambda c: c.info.reception.lost_s or 0),
    ("paused", "1: paused.", lambda camera: float(camera.info.controls.paused)),
    ("recording", "1: recordings take pictures.", lambda c: float(c.info.controls.recording)),
)
_COUNTERS: tuple[tuple[str, str, Callable[[Camera], float]], ...] = (
    ("frames", "Pictures that the page got.", lambda camera: camera.num_pictures),
    ("losses", "Times that the signal was lost.", lambda c: c.info.reception.num_losses),
    ("reconnects", "Attempts to reconnect.", lambda c: c.info.reception.num_attempts),
)


def _drops(cameras: Sequence[Camera]) -> Metric:
    text = "Frames left out, by the stage that they didn't reach."
    counter = CounterMetricFamily("rtseg_drops", text, labels=["camera", "hop"])
    for camera in cameras:
        for hop, count in camera.info.latency.drops.items():
            counter.add_metric([camera.key, hop], count)
    return counter


def _stages(cameras: Sequence[Camera]) -> Metric:
    summary = Metric("rtseg_stage_seconds", "Time of a frame in a stage.", "summary")
    for camera in cameras:
        for stage, times in camera.info.latency.stages().items():
            _add_summary(summary, {"camera": camera.key, "stage": stage}, times)
    return summary


def _age_quantiles(cameras: Sequence[Camera]) -> Metric:
    text = "Age of a picture when the first output took it."
    summary = Metric("rtseg_shown_age_seconds", text, "summary")
    for camera in cameras:
        _add_summary(summary, {"camera": camera.key}, camera.info.latency.age())
    return summary


def _add_summary(summary: Metric, labels: dict[str, str], times: Percentiles) -> None:
    for quantile, value_ms in ((0.5, times.p50), (0.9, times.p90), (0.99, times.p99)):
        sample = {**labels, "quantile": str(quantile)}
        summary.add_sample(summary.name, sample, value_ms / 1e3)
    summary.add_sample(f"{summary.name}_sum", labels, times.mean * times.count / 1e3)
    summary.add_sample(f"{summary.name}_count", labels, times.count)
