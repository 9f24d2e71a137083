"""What a service manager hears, through a real datagram socket, of real pipelines."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rtseg.stream.liveness import Liveness
from rtseg.stream.notifier import Notifier, watchdog_s
from rtseg.stream.service import Service
from rtseg.stream.stage import Stage
from rtseg.stream.step import Step

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


class Manager:
    """The receiving end: what systemd would be."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(0.1)
        self.heard: list[tuple[float, dict[str, str]]] = []

    def listen(self, seconds: float, until: Callable[[], bool] = lambda: False) -> Manager:
        """Take in messages for a time, or until something is so."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not until():
            try:
                message = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            pairs = (line.partition("=") for line in message.split("\n"))
            self.heard.append((time.monotonic(), {key: value for key, _, value in pairs}))
        return self

    def times(self, key: str) -> list[float]:
        return [at_s for at_s, values in self.heard if key in values]

    def values(self, key: str) -> list[str]:
        return [values[key] for _, values in self.heard if key in values]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"] if sys.platform == "linux" else ["path"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(
        f"@rtseg-test-{os.getpid()}" if request.param == "abstract" else str(tmp_path / "notify")
    )
    yield listening
    listening.close()


@pytest.fixture
def at_path(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


class Running:
    """A pipeline that runs in a thread, as a service sees a stream."""

    def __init__(self, parts: Any, stage: Any, *, live: bool = False) -> None:
        source = parts.Source(parts.Behaviour(num_frames=10**6, delay_s=0.02), live=live)
        self.sink = parts.Sink()
        steps = [stage if isinstance(stage, Step) else parts.step(stage)]
        self.pipeline, self.info = parts.pipeline(
            source, steps, [self.sink], join_timeout_s=0.5, policy="drop_oldest"
        )
        self.stream: Any = SimpleNamespace(
            info=self.info,
            controls=self.info.controls,
            liveness=Liveness(self.pipeline, self.info),
        )
        self.errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.pipeline.run()
        except BaseException as error:
            self.errors.append(error)

    def stop(self) -> None:
        self.info.controls.stop()
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_messages_arrive_at_a_path_and_at_an_abstract_name(manager: Manager) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.address})
    assert notifier.is_heard
    notifier.send(READY=1, STATUS="two\nlines")
    manager.listen(2, lambda: bool(manager.heard))
    assert manager.heard[0][1] == {"READY": "1", "STATUS": "two lines"}


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_manager_nothing_is_done(environment: dict[str, str]) -> None:
    notifier = Notifier.from_environment(environment)
    assert not notifier.is_heard
    notifier.send(READY=1)
    threads = threading.active_count()
    with Service(notifier, 1.0) as service:
        assert threading.active_count() == threads
        with service.reloading():
            pass


def test_a_manager_that_is_gone_is_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = Notifier(str(tmp_path / "nobody"))
    notifier.send(READY=1)
    notifier.send(READY=1)
    assert len(caplog.messages) == 1


def test_the_watchdogs_time_is_for_this_process_alone() -> None:
    assert watchdog_s({}) is None
    assert watchdog_s({"WATCHDOG_USEC": "0"}) is None
    assert watchdog_s({"WATCHDOG_USEC": "3000000"}) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}) == 3.0
    assert watchdog_s({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}) is None


def test_a_stream_gets_ready_tells_how_it_is_and_gives_signs_of_life(
    parts: Any, at_path: Manager, no_thread_left: None
) -> None:
    with Service(Notifier(at_path.address), 0.8) as service:
        running = Running(parts, parts.Behaviour())
        service.watch([running.stream])
        at_path.listen(3, lambda: len(at_path.times("WATCHDOG")) >= 4)
        running.stop()
    at_path.listen(0.3)
    assert at_path.values("READY") == ["1"]
    assert len(at_path.times("WATCHDOG")) >= 4
    assert at_path.values("STOPPING") == ["1"]
    assert any(" fps, age " in status for status in at_path.values("STATUS"))


def test_a_stage_that_hangs_starves_the_watchdog_until_it_comes_back(
    parts: Any, at_path: Manager, no_thread_left: None
) -> None:
    go_on = threading.Event()

    def hang(index: int | None) -> None:
        if index is not None and index >= 10:
            go_on.wait(20)

    with Service(Notifier(at_path.address), 0.6) as service:
        running = Running(parts, parts.Behaviour(hooks={"process": hang}))
        service.watch([running.stream])
        at_path.listen(5, lambda: any("hangs" in text for text in at_path.values("STATUS")))
        hung_s = time.monotonic()
        at_path.listen(1.2)
        assert at_path.values("READY") == ["1"]
        assert not [at_s for at_s in at_path.times("WATCHDOG") if at_s > hung_s + 0.1]
        assert any("fake.process()" in text for text in at_path.values("STATUS"))
        go_on.set()
        at_path.listen(5, lambda: at_path.times("WATCHDOG")[-1] > hung_s + 0.1)
        assert at_path.times("WATCHDOG")[-1] > hung_s
        running.stop()


def test_a_source_that_is_lost_or_paused_does_not_starve_it(
    parts: Any, at_path: Manager, no_thread_left: None
) -> None:
    go_on = threading.Event()
    with Service(Notifier(at_path.address), 0.6) as service:
        running = Running(parts, parts.Behaviour())
        running.pipeline._source.does.hooks = {"read": lambda index: index > 5 and go_on.wait(20)}
        service.watch([running.stream])
        at_path.listen(5, lambda: len(running.sink.written) > 5)
        running.info.reception.lose("unplugged")
        lost_s = time.monotonic()
        at_path.listen(2.2)
        assert len([at_s for at_s in at_path.times("WATCHDOG") if at_s > lost_s + 0.5]) >= 3
        assert any("signal lost" in status for status in at_path.values("STATUS"))
        running.info.reception.find()
        running.info.controls.pause()
        go_on.set()
        paused_s = time.monotonic()
        at_path.listen(1.2)
        assert len([at_s for at_s in at_path.times("WATCHDOG") if at_s > paused_s + 0.5]) >= 1
        running.stop()


def test_frames_of_which_no_picture_comes_are_trouble(parts: Any, no_thread_left: None) -> None:
    lose_all = threading.Event()

    class Losing(Stage):
        name = "losing"

        def process(self, item: Any) -> Any:
            return None if lose_all.is_set() else item

    running = Running(parts, Step("losing", Losing), live=True)
    liveness: Liveness = running.stream.liveness
    for _ in range(20):
        time.sleep(0.02)
        assert liveness.trouble(5.0) is None
    lose_all.set()
    deadline_s, trouble = time.monotonic() + 10, None
    while trouble is None and time.monotonic() < deadline_s:
        time.sleep(0.02)
        trouble = liveness.trouble(0.5)
    running.stop()
    assert trouble is not None
    assert "no picture for" in trouble


def test_a_source_that_is_waited_for_is_ready(at_path: Manager) -> None:
    from rtseg.stream import service as service_module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service_module, "PATIENCE_S", 0.2)
        with Service(Notifier(at_path.address), 1.0, waits=True):
            at_path.listen(3, lambda: bool(at_path.values("READY")))
    assert at_path.values("READY") == ["1"]
    assert at_path.values("STATUS")[0].startswith("opening source")


def test_a_reload_is_told_with_its_time(at_path: Manager, parts: Any) -> None:
    with Service(Notifier(at_path.address)) as service:
        running = Running(parts, parts.Behaviour())
        service.watch([running.stream])
        at_path.listen(3, lambda: bool(at_path.values("READY")))
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        with service.reloading():
            pass
        running.stop()
    at_path.listen(0.3)
    reload = next(values for _, values in at_path.heard if "RELOADING" in values)
    assert 0 <= int(reload["MONOTONIC_USEC"]) - before_us < 5_000_000
    assert at_path.values("READY") == ["1", "1"]
