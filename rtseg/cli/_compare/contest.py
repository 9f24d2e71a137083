"""The order of a comparison: which process runs when, and what is kept when one of them fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
import yaml
from pydantic import BaseModel, ValidationError

from rtseg.bench.benchmark import JobFailedError, finish
from rtseg.cli._compare.result import (
    CompareJob,
    Conditions,
    NetworkResult,
    Timing,
    Trained,
)
from rtseg.cli._picture_files import write_whole
from rtseg.config import load_config
from rtseg.errors import ConfigError
from rtseg.networks import NETWORKS
from rtseg.networks.counting import count_network
from rtseg.networks.families import family_of
from rtseg.training.comparison import fitted_hw, read_classes

TIMEOUT_S = 24 * 3600.0
CONDITIONS = "conditions.yaml"
KILLED = "signal 9"

Answer = TypeVar("Answer", bound=BaseModel)


def worker_command() -> tuple[str, ...]:
    """Return the command that starts a worker through the command line's own door."""
    return sys.executable, "-m", "rtseg", "compare", "--worker"


class Contest:
    """Trains networks one after another, then times them in turns; each in a process of its own.

    What is finished lies in the folder, one JSON file for each network, and isn't done again. A
    network that fails says why and the rest goes on; the next run tries it again.

    Args:
        conditions: the same for all.
        names: of the networks, in the order in which they are trained.
        folder: where results go.
        command: starts a process that calls `rtseg.cli._compare.worker.work`.
        keep_weights: beside the results.
        tell: is told in a line what happens.
    """

    def __init__(
        self,
        conditions: Conditions,
        names: Sequence[str],
        folder: Path,
        command: Sequence[str],
        *,
        keep_weights: bool = True,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.conditions = conditions
        self.names = list(dict.fromkeys(names))
        self.folder = folder
        self._command = tuple(command)
        self._keep_weights = keep_weights
        self._tell = tell
        self._num_classes = len(read_classes(conditions.data))

    def prepare(self) -> None:
        """Note the conditions in the folder, or see that they are those of what it holds.

        Raises:
            ConfigError: it holds the results of other conditions.
        """
        path = self.folder / CONDITIONS
        if path.is_file():
            _check_same(load_config(Conditions, path), self.conditions, self.folder)
            return
        text = yaml.safe_dump(self.conditions.model_dump(mode="json"), sort_keys=False)
        write_whole(path, text.encode())

    def train(self) -> None:
        """Train and score every network that isn't yet."""
        for number, name in enumerate(self.names, 1):
            if self.result(name).trained is not None:
                self._tell(f"{number}/{len(self.names)} {name}: is trained")
                continue
            self._tell(f"{number}/{len(self.names)} {name}: {self.conditions.budget}")
            self._train(name)

    def time(self, again: bool = False) -> None:
        """Time every network as often as the recipe says, in turns.

        Args:
            again: forget earlier timings.
        """
        if again:
            for name in self.names:
                self._save(self.result(name).model_copy(update={"timings": (), "problem": ""}))
        repetitions = self.conditions.recipe.latency.repetitions
        failed: set[str] = set()
        for repetition in range(repetitions):
            self._tell(f"timing, round {repetition + 1} of {repetitions}")
            for name in self.names:
                if name not in failed and not self._time(name, repetition):
                    failed.add(name)

    def result(self, name: str) -> NetworkResult:
        """Return what is known of a network so far; the counts are always there."""
        path, hw = self._path(name), self._timed_hw(name)
        if path.is_file():
            try:
                result = NetworkResult.model_validate_json(path.read_bytes())
            except ValidationError:
                self._tell(f"{path} can't be read: {name} begins afresh")
            else:
                return result if result.count_hw == hw else self._counted(result)
        entry = NETWORKS[name]
        family = family_of(entry).__name__
        blank = NetworkResult(
            name=name, title=entry.card.title, family=family, parameters=0, gmacs=0, count_hw=hw
        )
        return self._counted(blank)

    def results(self) -> list[NetworkResult]:
        """Return what is known of all networks, and of others in the folder."""
        here = sorted(path.stem for path in (self.folder / "networks").glob("*.json"))
        names = dict.fromkeys([*self.names, *(name for name in here if name in NETWORKS)])
        return [self.result(name) for name in names]

    def _train(self, name: str) -> None:
        weights = self._path(name).with_suffix(".safetensors") if self._keep_weights else None
        result = self.result(name).model_copy(update={"problem": ""})
        try:
            trained = self._ask("train", name, Trained, weights)
        except JobFailedError as error:
            self._fail(result, f"not trained: {error}")
            return
        result = result.model_copy(update={"trained": trained})
        self._save(result)
        score = "-" if result.headline is None else f"{100 * result.headline:.1f} %"
        self._tell(f"{name}: {trained.steps} steps, mean IoU {score}")

    def _time(self, name: str, repetition: int) -> bool:
        """Add a repetition where it is missing; return False where that fails."""
        result = self.result(name)
        if any(timing.input_hw != result.count_hw for timing in result.timings):
            result = result.model_copy(update={"timings": ()})
        if result.trained is None or len(result.timings) > repetition:
            return True
        try:
            timing = self._ask("time", name, Timing)
        except JobFailedError as error:
            self._fail(result, f"not timed: {error}")
            return False
        self._save(result.model_copy(update={"timings": (*result.timings, timing), "problem": ""}))
        return True

    def _ask(
        self, kind: str, name: str, answer: type[Answer], weights: Path | None = None
    ) -> Answer:
        job = CompareJob.model_validate(
            {"kind": kind, "network": name, "conditions": self.conditions, "weights": weights}
        )
        self._path(name).parent.mkdir(parents=True, exist_ok=True)
        lines = finish(self._command, job.model_dump_json(), TIMEOUT_S).strip().splitlines()
        if not lines:
            raise JobFailedError("its process ended without a result")
        return answer.model_validate_json(lines[-1])

    def _fail(self, result: NetworkResult, problem: str) -> None:
        if problem.endswith(KILLED):
            problem += ", as the system does with what takes too much memory"
        self._tell(f"{result.name}: {problem}")
        self._save(result.model_copy(update={"problem": problem}))

    def _counted(self, result: NetworkResult) -> NetworkResult:
        """Count the network for the data set's classes at the size that it is timed at."""
        hw = self._timed_hw(result.name)
        with torch.device("meta"):
            network = NETWORKS[result.name].build(self._num_classes)
        count = count_network(network, hw)
        return result.model_copy(
            update={"parameters": count.parameters, "gmacs": count.gmacs, "count_hw": hw}
        )

    def _timed_hw(self, name: str) -> tuple[int, int]:
        return fitted_hw(name, self.conditions.recipe.latency.input_hw)

    def _save(self, result: NetworkResult) -> None:
        content = result.model_dump_json(indent=1) + "\n"
        write_whole(self._path(result.name), content.encode())

    def _path(self, name: str) -> Path:
        return self.folder / "networks" / f"{name}.json"


def _check_same(old: Conditions, new: Conditions, folder: Path) -> None:
    """Refuse to mix; how often and at which size networks are timed may change."""
    before, now = _flat(old), _flat(new)
    changed = [
        f"{key}: {before.get(key)!r} there, {now.get(key)!r} now"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not key.startswith("recipe.latency")
    ]
    if changed:
        raise ConfigError(
            f"{folder} holds the results of another comparison ({'; '.join(changed)}): take the "
            "same conditions to go on with it, or another folder with --output"
        )


def _flat(conditions: Conditions) -> dict[str, object]:
    def walk(values: dict[str, object], above: str) -> dict[str, object]:
        flat: dict[str, object] = {}
        for key, value in values.items():
            flat |= (
                walk(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
            )
        return flat

    return walk(conditions.model_dump(mode="json"), "")
