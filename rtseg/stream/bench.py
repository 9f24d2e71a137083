"""Where the workers of a step stand: what they take from, and how their results stay in order."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rtseg.stream.channel import Channel, Item
from rtseg.stream.crew import Crew
from rtseg.stream.gate import Gate
from rtseg.stream.latency import Latency
from rtseg.stream.ordered import Ordered
from rtseg.stream.post import Post
from rtseg.stream.stage import Stage
from rtseg.stream.step import Step


class Bench:
    """A step at work: `Step.workers` threads run `work`.

    Args:
        step: what is done.
        inlet: where its items come from.
        latency: gets the time of each stage.
        use: takes the results one by one in the order of their frames.
        end: called when no more results come.
    """

    def __init__(
        self,
        step: Step,
        inlet: Channel,
        latency: Latency,
        use: Callable[[Item], None],
        end: Callable[[], None],
    ) -> None:
        self.step = step
        self.inlet = inlet
        self._latency = latency
        self._results = Ordered(step.workers, use, end)

    @property
    def max_frames(self) -> int:
        """The most frames that wait here, are worked on, or wait for their turn to go on."""
        return self.inlet.depth + 2 * self.step.workers - 1

    def work(self, crew: Crew, gate: Gate, post: Post) -> None:
        """Make the stages, work to the end, close the stages: a worker's thread."""
        stages: list[Stage] = []
        crew.attempt(lambda: self._work_all(stages, gate, post))
        crew.attempt(self._results.leave)
        for stage in stages:
            crew.attempt(partial(_close, stage, post), on_error=crew.note)

    def cancel(self) -> None:
        """Let no worker wait any more."""
        self.inlet.cancel()
        self._results.cancel()

    def _work_all(self, stages: list[Stage], gate: Gate, post: Post) -> None:
        with post.call(self.step.name, "make"):
            stages += self.step.stages()
        gate.arrive()
        while self._work_one(stages, post):
            self._results.hand_on()

    def _work_one(self, stages: list[Stage], post: Post) -> bool:
        """Work on the next item; False at the end. Nothing of it is kept on return."""
        taken = self.inlet.take()
        if taken is None:
            return False
        place, item = taken
        value = self._process(stages, item, post)
        result = None if value is None else Item(item.index, item.captured_ns, value)
        self._results.put(place, result)
        return True

    def _process(self, stages: list[Stage], item: Item, post: Post) -> object:
        value = item.value
        for stage in stages:
            with post.call(stage.name, "process") as call:
                value = stage.process(value)
            self._latency.record(item.index, stage.name, call.start_ns, call.end_ns)
            if value is None:
                break
        return value


def _close(stage: Stage, post: Post) -> None:
    with post.call(stage.name, "close"):
        stage.close()
