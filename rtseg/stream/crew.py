"""The threads of a pipeline: they are started, watched and waited for; the first failure counts."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable

from rtseg.errors import PipelineError
from rtseg.stream.channel import Cancelled
from rtseg.stream.patience import Patience
from rtseg.stream.post import Call, Post

log = logging.getLogger(__name__)

Work = Callable[[Post], None]


class Crew:
    """Runs the parts of a pipeline in threads of their own, daemons all.

    Once the stream is to end, a thread that is in one call for too long (see `Patience`) is named
    in a `PipelineError` and left behind.

    Args:
        join_timeout_s: the patience with a call after a stop or a failure, seconds.
        cancel: ends every hand-over, so that no thread waits for another one.
        hurry: called once, when half the patience has gone by since a stop or a failure.
    """

    def __init__(
        self, join_timeout_s: float, cancel: Callable[[], None], hurry: Callable[[], None]
    ) -> None:
        self._patience = Patience(join_timeout_s)
        self._cancel = cancel
        self._hurry: Callable[[], None] | None = hurry
        self._plan: list[tuple[Post, Work]] = []
        self._threads: dict[Post, threading.Thread] = {}
        self._at_work: list[Post] = []
        self._error: BaseException | None = None
        # re-entrant, as `Controls` is: a signal's handler may stop the stream at any moment
        self._changed = threading.Condition(threading.RLock())

    def add(self, name: str, work: Work) -> None:
        """Plan a thread that does `work` with its post."""
        self._plan.append((Post(name), work))

    def enter(self, name: str) -> Post:
        """Return a post for the calling thread; `leave` must follow."""
        post = Post(name)
        post.take_up()
        with self._changed:
            self._at_work.append(post)
        return post

    def leave(self, post: Post) -> None:
        """Note that a thread has done its work."""
        with self._changed:
            if post in self._at_work:
                self._at_work.remove(post)
            self._changed.notify_all()

    def start(self) -> None:
        """Start the planned threads, and one that watches them."""
        watch = Post("rtseg-watch")
        with self._changed:
            self._at_work += [post for post, _ in self._plan]
        for post, work in self._plan:
            if not self._start_thread(post, self._run, post, work):
                self._run(post, work)  # all is cancelled; it closes what it has to close
        self._start_thread(watch, self._watch)

    def attempt(
        self, act: Callable[[], object], on_error: Callable[[BaseException], None] | None = None
    ) -> None:
        """Do `act`; what it raises goes to `on_error`, which is `fail` unless given."""
        try:
            act()
        except Cancelled:
            pass
        except BaseException as error:
            (on_error or self.fail)(error)

    def fail(self, error: BaseException) -> None:
        """End the pipeline at once because of `error`."""
        self.note(error)
        self._cancel()
        self.begin_end(asked=True)

    def note(self, error: BaseException) -> None:
        """Keep `error` for `raise_first`; what is under way goes on."""
        with self._changed:
            first = self._error
            if first is None:
                self._error = error
        if first is not None and first is not error:
            _mention(error, first)

    def begin_end(self, *, asked: bool) -> None:
        """Note that the stream is to end: `asked` by a stop or failure, else by its source."""
        with self._changed:
            self._patience.begin(asked)
            self._changed.notify_all()

    def calls(self) -> list[tuple[Post, Call]]:
        """Return what the threads are in at the moment; those that wait for others are left out."""
        with self._changed:
            calls = [(post, post.current) for post in self._at_work]
        return [(post, call) for post, call in calls if call is not None]

    def wait(self) -> None:
        """Wait until every thread has done its work or was left behind."""
        try:
            self._join()
        except BaseException as error:  # Ctrl-C, where no handler was set
            self.fail(error)
            self._join()

    def raise_first(self) -> None:
        """Raise the first failure as it was raised; return if there was none."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this very frame

    def _start_thread(self, post: Post, target: Callable[..., None], *arguments: object) -> bool:
        thread = threading.Thread(name=post.name, target=target, args=arguments, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            self.fail(error)
            return False
        self._threads[post] = thread
        return True

    def _run(self, post: Post, work: Work) -> None:
        post.take_up()
        self.attempt(lambda: work(post))
        self.leave(post)

    def _join(self) -> None:
        with self._changed:
            if any(post.is_mine for post in self._at_work):
                return  # a forgotten loop over pictures, tidied away in one of the threads
            while self._at_work:
                self._changed.wait()
        for thread in self._threads.values():
            thread.join()

    def _watch(self) -> None:
        while self._wait_for_next_look():
            if self._hurry is not None and self._patience.is_half_over():
                self._hurry()
                self._hurry = None
            for post, call in self._stuck():
                self._leave_behind(post, call)

    def _wait_for_next_look(self) -> bool:
        """Wait until there may be something to see; False when nobody is at work any more."""
        with self._changed:
            if self._at_work:
                self._changed.wait(self._patience.next_look_s(self._at_work))
            return bool(self._at_work)

    def _stuck(self) -> list[tuple[Post, Call]]:
        with self._changed:
            calls = [(post, post.current) for post in self._at_work if self._patience.is_over(post)]
        return [(post, call) for post, call in calls if call is not None]

    def _leave_behind(self, post: Post, call: Call) -> None:
        whereabouts = post.whereabouts()
        if post.current is not call:
            return  # it has come back at the last moment
        seconds = (time.monotonic_ns() - call.start_ns) / 1e9
        self.fail(
            PipelineError(
                f"the stream can't end: thread {post.name} has been in {call} for {seconds:.1f} s, "
                f"at {whereabouts}; it is left behind"
            )
        )
        self._threads.pop(post, None)
        self.leave(post)


def _mention(error: BaseException, first: BaseException) -> None:
    """Tell of a later failure without hiding the first one."""
    text = f"while the stream ended: {type(error).__name__}: {error}"
    log.warning("%s", text)
    if sys.version_info >= (3, 11):
        first.add_note(text)
