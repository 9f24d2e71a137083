"""One engine for several callers, each of whom has a lane of his own: served in turn, batched.

There is no thread here. A caller waits until it is his lane's turn, and then makes the call
himself; where the engine takes several pictures a call, he takes along what the others wait with.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rtseg.backends.base import Engine, EngineInfo
from rtseg.errors import EngineError

_LINGER = 0.2
"""How long a call waits for company after the one before has ended, as a part of that one's time:
who was served then is about to come back."""


class SharedEngine(Engine):
    """An engine, and the turns in which those who share it are served.

    The lane that was served longest ago comes next, so a fast caller can't starve a slow one. With
    an engine of batch N a call takes up to N pictures, first one of each lane; what is missing is
    filled up with a picture that is there.

    Args:
        engine: it is owned, and closed at the end.
        workers: how many calls it stands at the same time.
    """

    def __init__(self, engine: Engine, workers: int) -> None:
        self._engine = engine
        self._workers = workers
        self._arrived = threading.Condition(threading.Lock())
        self._lanes: deque[_Lane] = deque()
        self._num_running = 0
        self._closed = False
        self._last_end_s = self._last_took_s = 0.0

    @property
    def info(self) -> EngineInfo:  # type: ignore[override]
        """What the engine is that runs now; to those who share it, of batch 1."""
        return replace(self._engine.info, batch=1)

    def lane(self) -> Engine:
        """Return the engine as one of those who share it sees it; closing it leaves the others."""
        lane = _Lane(self)
        with self._arrived:
            self._lanes.append(lane)
        return lane

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment a picture as if in a lane opened for this call alone."""
        with self.lane() as lane:
            return lane.infer(images_bgr)

    def notice(self) -> str | None:
        """Return what people should know of the engine now."""
        return self._engine.notice()

    def close(self) -> None:
        """Release the engine; who still waits for a call gets an EngineError."""
        with self._arrived:
            self._closed = True
            waiting = [call for lane in self._lanes for call in lane.waiting]
            for lane in self._lanes:
                lane.waiting.clear()
            self._arrived.notify_all()
        for call in waiting:
            call.end(error=EngineError(f"{self.info} was closed while a picture waited for it"))
        self._engine.close()

    def _enter(self, lane: _Lane, image_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Wait for the turn, make the call or have it made, return what came of the picture."""
        call = _Call(lane, image_bgr)
        with self._arrived:
            if self._closed:
                raise EngineError(f"{self.info} is closed")
            lane.waiting.append(call)
            self._arrived.notify_all()
            self._begin_calls()
        if call.wait():
            self._lead(call)
        return call.result()

    def _leave(self, lane: _Lane) -> None:
        with self._arrived:
            if lane in self._lanes:
                self._lanes.remove(lane)
            self._arrived.notify_all()

    def _begin_calls(self) -> None:
        """Let as many waiting callers lead a call as the engine stands; under the lock."""
        while self._num_running < self._workers and (call := self._next()) is not None:
            self._num_running += 1
            call.lead()

    def _next(self) -> _Call | None:
        """Return who is next, and put his lane behind the others; under the lock."""
        for lane in self._lanes:
            if lane.waiting:
                self._lanes.remove(lane)
                self._lanes.append(lane)
                lane.num_served += 1
                return lane.waiting.popleft()
        return None

    def _lead(self, call: _Call) -> None:
        calls = [call]
        try:
            calls += self._company(self._engine.info.batch - 1)
            self._make(calls)
        except BaseException as error:
            for one in calls:
                one.end(error=error)
        finally:
            with self._arrived:
                self._num_running -= 1
                for one in calls:
                    one.lane.num_served -= 1
                self._begin_calls()

    def _company(self, most: int) -> list[_Call]:
        """Return the callers that come along, after a moment for those who are about to come."""
        if most < 1:
            return []
        with self._arrived:
            until_s = self._last_end_s + _LINGER * self._last_took_s
            while (left_s := until_s - time.monotonic()) > 0 and not self._is_full(most):
                self._arrived.wait(left_s)
            found = (self._next() for _ in range(most))
            return [call for call in found if call is not None]

    def _is_full(self, most: int) -> bool:
        """Whether nobody is worth waiting for: the batch is full, or all lanes are here."""
        num_waiting = sum(len(lane.waiting) for lane in self._lanes)
        all_here = all(lane.waiting or lane.num_served for lane in self._lanes)
        return self._closed or all_here or num_waiting >= most

    def _make(self, calls: list[_Call]) -> None:
        """Run the engine on the pictures of all these callers, and hand out what came of them."""
        images = [call.image_bgr for call in calls]
        images += images[:1] * (self._engine.info.batch - len(images))
        start_s = time.monotonic()
        outputs = self._engine.infer(np.concatenate(images) if len(images) > 1 else images[0])
        with self._arrived:
            self._last_end_s = time.monotonic()
            self._last_took_s = self._last_end_s - start_s
        for number, call in enumerate(calls):
            call.end(outputs[number : number + 1])


class _Lane(Engine):
    """A shared engine as one of its users sees it.

    Args:
        shared: the engine; it stays open when the lane is closed.
    """

    def __init__(self, shared: SharedEngine) -> None:
        self._shared = shared
        self.waiting: deque[_Call] = deque()
        self.num_served = 0
        """Calls of this lane that are being made."""

    @property
    def info(self) -> EngineInfo:  # type: ignore[override]
        """What the engine is that runs now, of batch 1."""
        return self._shared.info

    def infer(self, images_bgr: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Segment one picture when it is this lane's turn."""
        return self._shared._enter(self, self.info.check(images_bgr))

    def notice(self) -> str | None:
        """Return what people should know of the engine now."""
        return self._shared.notice()

    def close(self) -> None:
        """Give the lane up."""
        self._shared._leave(self)


class _Call:
    """One picture on its way through the engine.

    Args:
        lane: where it comes from.
        image_bgr: uint8 [1, H, W, 3].
    """

    def __init__(self, lane: _Lane, image_bgr: npt.NDArray[np.uint8]) -> None:
        self.lane = lane
        self.image_bgr = image_bgr
        self._turn = threading.Event()
        self._leads = False
        self._output: npt.NDArray[Any] | None = None
        self._error: BaseException | None = None

    def lead(self) -> None:
        """Have the waiting caller make the call."""
        self._leads = True
        self._turn.set()

    def end(
        self, output: npt.NDArray[Any] | None = None, error: BaseException | None = None
    ) -> None:
        """Note what came of it, and wake the caller."""
        self._output, self._error = output, error
        self._turn.set()

    def wait(self) -> bool:
        """Wait for the turn; return whether the caller is to make the call himself."""
        self._turn.wait()
        return self._leads

    def result(self) -> npt.NDArray[Any]:
        """Return what came of the picture, or raise why nothing did."""
        if self._error is not None:
            raise self._error
        assert self._output is not None, "a call ends with an output or an error"
        return self._output
