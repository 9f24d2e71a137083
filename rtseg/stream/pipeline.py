"""The threads of a stream and what they hand to each other; it owns them all and always ends them.

    source ─▶ step ─▶ … ─▶ last step ─┬▶ sink        every ▶ is a `Channel`; a step's workers
                                      └▶ sink        put their results in order (`Ordered`)

How it ends:

    source's end, Controls.stop   the reading thread ends the first channel; every thread ends the
                                  next one when it has emptied its own
    a part fails                  all is cancelled: each thread finishes the call that it is in
    the source fails              as at its end, for half the join timeout; then all is cancelled
    a `close` fails               nothing changes, as the part has done its work

In each case every thread closes its own part, and the first failure is raised to the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import get_args

from rtseg.errors import ConfigError, PipelineError
from rtseg.frames import Picture
from rtseg.stream.bench import Bench
from rtseg.stream.channel import Cancelled, Channel, Item, Policy
from rtseg.stream.crew import Crew
from rtseg.stream.gate import Gate
from rtseg.stream.outlet import Outlet
from rtseg.stream.post import Call, Post
from rtseg.stream.reader import Reader
from rtseg.stream.sinks.sink import Sink, StreamInfo
from rtseg.stream.sources.source import Source
from rtseg.stream.step import Step

__all__ = ["Pipeline", "Policy", "Step"]

CALLER = "caller"
"""The hop, in counts of drops, before the loop over `Pipeline.pictures`."""
MAX_DEPTH = 2


class Pipeline:
    """A stream that runs once, by `run` or by `pictures`.

    Before that nothing is called: who never runs it closes the source himself.

    Args:
        source: it is read, and closed, in one thread.
        steps: what is done with a frame before the sinks, one after the other; what comes out as
            None goes no further.
        sinks: each gets everything that the last step makes, in a thread of its own; one may ask
            for the main thread.
        info: what the sinks are told; its `controls` act on this pipeline, its `latency` is filled.
        policy: what happens when a part is slower than the one before it.
        depth: how many frames wait between two parts, 1 or 2; None: 1 for live sources, else 2.
        join_timeout_s: how long a call may take after a stop or a failure until its thread is
            left behind (see `Patience`), seconds.

    Raises:
        ConfigError: a setting is out of range.
        PipelineError: several sinks ask for the main thread.
    """

    def __init__(
        self,
        source: Source,
        steps: Sequence[Step],
        sinks: Sequence[Sink],
        info: StreamInfo,
        *,
        policy: Policy = "auto",
        depth: int | None = None,
        join_timeout_s: float = 2.0,
    ) -> None:
        _check_settings(policy, depth, join_timeout_s)
        _check_sinks(sinks)
        live = source.info.live
        self._info = info
        self._drops = policy == "drop_oldest" or (policy == "auto" and live)
        self._depth = depth or (1 if live else MAX_DEPTH)
        self._outlets = [self._outlet(key, sink) for key, sink in _keys(sinks).items()]
        self._benches = self._set_up(steps)
        self._source = source
        self._reader = Reader(source, info.controls, info.latency)
        self._gate = Gate(sum(step.workers for step in steps) + len(sinks))
        self._crew = Crew(join_timeout_s, self._cancel, self._hurry)
        self._started = self._ended = False
        self._caller_loops = 0

    @property
    def started(self) -> bool:
        """Whether it runs or ran, and so closes its source."""
        return self._started

    @property
    def ended(self) -> bool:
        """Whether it ran, and no thread is left."""
        return self._ended

    @property
    def max_frames_in_flight(self) -> int:
        """The most frames that are alive in the pipeline at the same time.

        One in the reading thread; `depth` before each step and sink; in a step one for each
        worker, and one less that wait for their turn; one in each sink; and in the loop over
        `pictures` the picture that its variable still holds.
        """
        in_steps = sum(bench.max_frames for bench in self._benches)
        in_outlets = len(self._outlets) * (self._depth + 1)
        return 1 + in_steps + in_outlets + self._caller_loops

    def calls(self) -> list[tuple[Post, Call]]:
        """Return which part's code each thread is in at the moment; may be asked by any thread."""
        return self._crew.calls()

    def run(self) -> None:
        """Run to the end of the source, a stop or a failure; a main thread's sink is served here.

        Raises:
            PipelineError: a thread hung in a call, or the pipeline ran before.
            BaseException: what a part raised first, the very exception.
        """
        own = self._main_thread_outlet()
        post = self._start(own)
        if own is not None:
            own.work(self._crew, self._gate, post)
        self._end(post)

    def pictures(self) -> Generator[Picture, None, None]:
        """Run, and yield every finished picture; a main thread's sink is served before each.

        Leaving the loop, in whatever way closes this generator, stops the pipeline; the other
        sinks still get what is under way.

        Raises:
            PipelineError: a thread hung in a call, or the pipeline ran before.
            BaseException: what a part raised first, the very exception.
        """
        own = self._main_thread_outlet()
        if own is None:
            own = self._outlet(CALLER, None)
            self._outlets.append(own)
            self._gate.expect_one_more()
        self._caller_loops = 1
        post = self._start(own)
        try:
            own.open(self._gate, post)
            while (picture := own.take(post)) is not None:
                yield picture
        except Cancelled:
            pass
        except GeneratorExit:
            self._let_go(own)
        except BaseException as error:
            self._crew.fail(error)
        self._crew.attempt(lambda: own.close(post), on_error=self._crew.note)
        self._end(post)

    def _start(self, own: Outlet | None) -> Post:
        """Start the threads of all but the outlet that the calling thread serves itself."""
        if self._started:
            raise PipelineError("a pipeline runs once; make another one for another run")
        self._started = True
        crew, gate = self._crew, self._gate
        for outlet in self._outlets:
            if outlet is not own:
                crew.add(f"rtseg-{outlet.key}", partial(outlet.work, crew, gate))
        for bench in self._benches:
            for number in range(1, bench.step.workers + 1):
                crew.add(f"rtseg-{bench.step.name}-{number}", partial(bench.work, crew, gate))
        read = partial(self._reader.work, crew, gate, self._put_first, self._end_first)
        crew.add("rtseg-source", read)
        post = crew.enter("rtseg-caller")
        crew.start()
        self._info.controls.on_stop(self._on_stop)
        return post

    def _end(self, post: Post) -> None:
        self._crew.leave(post)
        self._crew.wait()
        self._ended = True
        self._crew.raise_first()

    def _on_stop(self) -> None:
        self._source.interrupt()
        self._gate.open()
        self._crew.begin_end(asked=True)

    def _cancel(self) -> None:
        """End every wait: from now on no thread waits for another one."""
        self._info.controls.stop()
        self._gate.cancel()
        for bench in self._benches:
            bench.cancel()
        for outlet in self._outlets:
            outlet.channel.cancel()

    def _hurry(self) -> None:
        """Wait no longer for a source that hangs, nor for the rest after one that failed."""
        if self._reader.failed:
            self._cancel()
        elif self._reader.is_in_source:
            self._end_first()

    def _let_go(self, own: Outlet) -> None:
        """The caller has left the loop: finish what is under way, if there is a sink for it."""
        own.channel.leave()
        if len(self._outlets) > 1:
            self._info.controls.stop()
        else:
            self._cancel()

    def _set_up(self, steps: Sequence[Step]) -> list[Bench]:
        """Chain the steps, beginning at the sinks."""
        benches: list[Bench] = []
        self._put_first: Callable[[Item], None] = self._put_to_outlets
        self._end_first: Callable[[], None] = self._end_outlets
        for step in reversed(steps):
            inlet = self._channel(step.name)
            benches.insert(
                0, Bench(step, inlet, self._info.latency, self._put_first, self._end_first)
            )
            self._put_first, self._end_first = inlet.put, inlet.end
        return benches

    def _channel(self, hop: str) -> Channel:
        on_drop = partial(self._info.latency.dropped, hop) if self._drops else None
        return Channel(self._depth, on_drop)

    def _outlet(self, key: str, sink: Sink | None) -> Outlet:
        return Outlet(key, self._channel(key), sink, self._info)

    def _main_thread_outlet(self) -> Outlet | None:
        return next((o for o in self._outlets if o.sink is not None and o.sink.main_thread), None)

    def _put_to_outlets(self, item: Item) -> None:
        for outlet in self._outlets:
            outlet.channel.put(item)

    def _end_outlets(self) -> None:
        for outlet in self._outlets:
            outlet.channel.end()


def _check_settings(policy: Policy, depth: int | None, join_timeout_s: float) -> None:
    if policy not in get_args(Policy):
        allowed = ", ".join(get_args(Policy))
        raise ConfigError(f"the policy of a pipeline is one of {allowed}; got {policy!r}")
    if depth is not None and not 1 <= depth <= MAX_DEPTH:
        raise ConfigError(f"the depth of a pipeline is 1 or {MAX_DEPTH}, in frames; got {depth}")
    if not join_timeout_s > 0:
        raise ConfigError(f"the join timeout must be more than 0 s; got {join_timeout_s}")


def _check_sinks(sinks: Sequence[Sink]) -> None:
    names = [sink.name for sink in sinks if sink.main_thread]
    if len(names) > 1:
        raise PipelineError(
            f"one output alone can have the main thread; {', '.join(names)} all ask for it"
        )


def _keys(sinks: Sequence[Sink]) -> dict[str, Sink]:
    """Return the sinks by keys that differ where their names don't."""
    keys: dict[str, Sink] = {}
    for sink in sinks:
        key, number = f"sink:{sink.name}", 1
        while key in keys:
            number += 1
            key = f"sink:{sink.name} #{number}"
        keys[key] = sink
    return keys
