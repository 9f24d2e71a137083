"""The hand on a stream: what lets a frame through, and who learns of a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from rtseg.stream.controls import Controls
from rtseg.stream.overlay.style import OverlayStyle

InBackground = Callable[[Callable[[], object]], threading.Thread]


def test_frames_pass_until_a_pause() -> None:
    controls = Controls()
    assert controls.wait()
    controls.pause()
    assert controls.paused
    assert not controls.wait(0.01)
    controls.pause(False)
    assert not controls.paused
    assert controls.wait(0)


def test_each_step_lets_one_frame_through() -> None:
    controls = Controls()
    controls.pause()
    controls.step()
    controls.step()
    assert controls.wait(0)
    assert controls.wait(0)
    assert not controls.wait(0)


def test_a_step_reaches_who_waits_already(in_background: InBackground) -> None:
    controls, passed = Controls(), []
    controls.pause()
    threads = [in_background(lambda: passed.append(controls.wait(20))) for _ in range(3)]
    time.sleep(0.02)
    for num_steps in (1, 2, 3):
        controls.step()
        deadline_s = time.monotonic() + 5
        while len(passed) < num_steps and time.monotonic() < deadline_s:
            time.sleep(0.002)
        time.sleep(0.01)
        assert passed == [True] * num_steps
    for thread in threads:
        thread.join(5)


def test_steps_of_another_time_are_forgotten() -> None:
    controls = Controls()
    controls.step()
    controls.pause()
    assert not controls.wait(0)
    controls.step()
    controls.pause(False)
    controls.pause()
    assert not controls.wait(0)


@pytest.mark.parametrize("paused", [True, False])
def test_stop_ends_every_wait(in_background: InBackground, paused: bool) -> None:
    controls, passed = Controls(), []
    controls.pause(paused)
    thread = in_background(lambda: passed.append(controls.wait()))
    time.sleep(0.02)
    controls.stop()
    thread.join(5)
    assert passed == [not paused]
    assert controls.stopped
    assert not controls.paused


def test_who_asked_learns_of_the_stop_once() -> None:
    controls, calls = Controls(), []
    controls.on_stop(lambda: calls.append("early"))
    assert calls == []
    controls.stop()
    controls.stop()
    assert calls == ["early"]
    controls.on_stop(lambda: calls.append("late"))
    assert calls == ["early", "late"]


def test_stop_may_be_called_where_stop_is_learnt_of() -> None:
    controls = Controls()
    controls.on_stop(controls.stop)
    controls.stop()
    assert controls.stopped


def test_the_style_is_replaced_as_a_whole() -> None:
    controls = Controls(OverlayStyle(alpha=0.2))
    assert controls.style.alpha == 0.2
    controls.style = controls.style.model_copy(update={"alpha": 0.9})
    assert controls.style.alpha == 0.9
