"""One opening for several streams: the first one in order says what the engine is like."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

from rtseg.backends.base import Engine
from rtseg.closing import Closing
from rtseg.errors import EngineError
from rtseg.stream.cameras.shared_engine import SharedEngine
from rtseg.stream.engine_request import EngineOpener, EngineRequest


class SharedOpener(Closing):
    """Opens an engine once, and gives every stream a lane of it.

    A stream that asks waits for those that are expected, so that it isn't left to chance whose
    frames the engine's size follows.

    Args:
        open_engine: opens the engine.
        expected: the numbers of the streams that ask soon, or are `absent`.
        alone: there is one stream, which gets the engine itself.
    """

    def __init__(
        self, open_engine: EngineOpener, expected: Iterable[int], *, alone: bool = False
    ) -> None:
        self._open_engine = open_engine
        self._alone = alone
        self._changed = threading.Condition()
        self._expected = set(expected)
        self._requests: dict[int, EngineRequest] = {}
        self._shared: SharedEngine | None = None
        self._error: BaseException | None = None
        self._closed = False

    def of(self, number: int) -> EngineOpener:
        """Return the opener of one of the streams."""
        return self._open_engine if self._alone else partial(self._lane, number)

    def absent(self, number: int) -> None:
        """Expect a stream no longer."""
        with self._changed:
            self._expected.discard(number)
            self._changed.notify_all()

    def close(self) -> None:
        """Release the engine; who asks from now on is refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            shared = self._shared
        if shared is not None:
            shared.close()

    def _lane(self, number: int, request: EngineRequest) -> Engine:
        with self._changed:
            self._requests[number] = request
            self._expected.discard(number)
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._expected or self._closed)
            return self._open().lane()

    def _open(self) -> SharedEngine:
        """Return the engine, opened by the first who comes here; under the lock."""
        if self._closed:
            raise EngineError("the streams that share this engine have ended")
        if self._error is not None:
            raise self._error
        if self._shared is None:
            request = self._requests[min(self._requests)]
            try:
                engine = self._open_engine(request)
            except BaseException as error:
                self._error = error
                raise
            self._shared = SharedEngine(engine, request.parallelism.workers)
        return self._shared
