"""Percentiles in bounded memory, beside numpy's of all the values."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtseg.stream.histogram import Histogram

CENTURY_NS = 10**9 * 3600 * 24 * 365 * 100


def filled(values_ns: list[int]) -> Histogram:
    histogram = Histogram()
    for value_ns in values_ns:
        histogram.add(value_ns)
    return histogram


@given(st.lists(st.integers(0, CENTURY_NS), min_size=1, max_size=200))
def test_percentiles_are_within_half_a_percent(values_ns: list[int]) -> None:
    times = filled(values_ns).percentiles()
    assert times.count == len(values_ns)
    assert times.mean == pytest.approx(sum(values_ns) / len(values_ns) / 1e6)
    assert times.max == max(values_ns) / 1e6
    for percent, value_ms in [(50, times.p50), (90, times.p90), (99, times.p99)]:
        exact_ns = np.percentile(values_ns, percent, method="inverted_cdf")
        assert value_ms == pytest.approx(float(exact_ns) / 1e6, rel=0.0051)


def test_a_long_tail_is_not_clipped() -> None:
    rng = np.random.default_rng(0)
    values_ns = (rng.lognormal(17, 2, 20_000)).astype(int).tolist()
    histogram = filled(values_ns)
    for percent in (0, 1, 10, 50, 90, 99, 99.9, 100):
        exact_ns = np.percentile(values_ns, percent, method="inverted_cdf")
        assert histogram.percentile_ms(percent) * 1e6 == pytest.approx(float(exact_ns), rel=0.0051)


def test_memory_stays_bounded() -> None:
    rng = np.random.default_rng(0)
    histogram = filled([int(value) for value in np.exp(rng.uniform(0, 43, 50_000))])
    assert histogram.percentiles().count == 50_000
    (counts,) = (value for value in vars(histogram).values() if isinstance(value, dict))
    assert len(counts) < 4400
    assert sys.getsizeof(counts) < 300_000


def test_nothing_and_next_to_nothing() -> None:
    assert filled([]).percentiles().max == 0
    times = filled([0, -5]).percentiles()
    assert (times.count, times.mean, times.p50, times.max) == (2, 0, 0, 0)
    assert filled([1]).percentiles().p50 == 1e-6
