"""One network of a comparison: trained until its budget is spent, then scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from rtseg.errors import TrainingError
from rtseg.networks.trained import ModelCard, save_trained
from rtseg.training.batches import Batch
from rtseg.training.budget import Budget, BudgetClock
from rtseg.training.comparison import ComparisonConfig
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.datasets.selection import Selection
from rtseg.training.distributed import processes
from rtseg.training.evaluate import Evaluation, evaluate
from rtseg.training.folder import RunFolder
from rtseg.training.model_card import model_card
from rtseg.training.plan import Epoch
from rtseg.training.schedule import Schedule
from rtseg.training.scores import all_data, card_metrics
from rtseg.training.session import Session
from rtseg.training.setup import open_session

POSITIONS = 10_000
"""The learning rate's schedule goes over so many positions, whatever the budget's unit."""


@dataclass(frozen=True, slots=True)
class Contender:
    """How a network came out.

    Args:
        steps: taken within the budget.
        pictures: learned from, counted as often as they came.
        wall_s: seconds of learning.
        cpu_s: seconds that the process computed meanwhile, all threads together.
        loss: mean of the last tenth of the steps, one at least.
        crop_hw: height and width of the crops that it learned from.
        scores: evaluations by the name of the data: "val", and "held-out" if anything is.
    """

    steps: int
    pictures: int
    wall_s: float
    cpu_s: float
    loss: float
    crop_hw: tuple[int, int]
    scores: dict[str, Evaluation]


def compete(
    config: ComparisonConfig,
    network: str,
    data: Path,
    budget: Budget,
    *,
    weights: Path | None = None,
    device: str = "auto",
) -> Contender:
    """Train one network under a budget and score it.

    The first step is always taken; the last one is the one that ends the budget.

    Args:
        config: the conditions of the comparison.
        network: its registered name.
        data: the data set's YAML file.
        budget: what the learning may cost; reading pictures before and scoring after are free.
        weights: where the trained weights go, a safetensors file; None keeps none.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        RtsegError: the data or a name can't be used.
        TrainingError: the loss is not a number.
    """
    training = config.train_config(network, data)
    with processes(device) as group:
        session = open_session(training, Path.cwd(), RunFolder(Path.cwd()), group)
        clock = BudgetClock(budget)
        with session.batches.store:
            losses = _learn(session, clock)
        wall_s, cpu_s = clock.wall_s, clock.cpu_s
        scores = _scores(session, config)
        session.step = clock.steps
        if weights is not None:
            save_trained(weights, session.learner.best_network, _card(session, budget, scores))
    last = losses[-max(1, len(losses) // 10) :]
    pictures = clock.steps * config.batch_size
    loss = sum(last) / len(last)
    return Contender(clock.steps, pictures, wall_s, cpu_s, loss, training.crop_hw, scores)


def _learn(session: Session, clock: BudgetClock) -> list[float]:
    """Take steps until the budget is spent; return the loss of each."""
    learner, losses = session.learner, []
    # A step's number alone doesn't say how far a training by the clock has come.
    learner.schedule = Schedule(session.config.schedule, POSITIONS)
    for batch in _batches(session):
        position = int(POSITIONS * clock.share)
        values = learner.learn(batch, position, session.step_seed)
        losses.append(values["loss"].item())  # waits for the device, so that the clock is right
        if losses[-1] != losses[-1]:
            raise TrainingError(
                f"the loss of step {clock.steps + 1} is not a number: take a smaller optim.lr, or "
                "precision fp32"
            )
        clock.steps += 1
        session.step = clock.steps
        if clock.share >= 1:
            break
    return losses


def _batches(session: Session) -> Iterator[Batch]:
    """Yield batches without end, every epoch in another order."""
    first = session.plan.epochs[0]
    for index in count():
        epoch = Epoch(index, index * first.steps, first.steps, first.crop_hw, first.batch_size)
        yield from session.batches.of_epoch(epoch)


def _card(session: Session, budget: Budget, scores: dict[str, Evaluation]) -> ModelCard:
    metrics = {
        f"{name}/{measure}": value
        for name, evaluation in scores.items()
        for measure, value in card_metrics(evaluation).items()
    }
    card = model_card(session, metrics)
    epochs = session.step // session.plan.epochs[0].steps
    return replace(card, training={**card.training, "epochs": epochs, "budget": budget.title})


def _scores(session: Session, config: ComparisonConfig) -> dict[str, Evaluation]:
    scoring = config.scoring
    return {
        name: evaluate(
            session.learner.best_network,
            _sparse(data, scoring.every),
            session.normalisation,
            device=session.group.device,
            precision=config.precision,
            batch_size=scoring.batch_size,
            input_hw=scoring.input_hw,
        )
        for name, data in all_data(session).items()
    }


def _sparse(data: SegmentationDataset, every: int) -> SegmentationDataset:
    return data if every == 1 else Selection(data, range(0, len(data), every))
