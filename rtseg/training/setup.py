"""From a configuration to a session at its first step: data, network, losses, optimiser."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from rtseg.device import pick_precision, precision_name
from rtseg.errors import ConfigError
from rtseg.networks import SegmentationNetwork, padded_hw
from rtseg.networks.normalisation import Normalisation
from rtseg.networks.trained import load_trained
from rtseg.training.batches import Batches
from rtseg.training.class_weights import CLASS_WEIGHTINGS
from rtseg.training.criterion import Criterion, CriterionConfig
from rtseg.training.datasets import open_sources
from rtseg.training.datasets.dataset import SegmentationDataset
from rtseg.training.distributed import Processes
from rtseg.training.folder import RunFolder
from rtseg.training.initial import Start, initial_network
from rtseg.training.learner import Learner
from rtseg.training.losses.distillation import DistillationConfig
from rtseg.training.memory import PictureStore
from rtseg.training.plan import Plan
from rtseg.training.schedule import Schedule
from rtseg.training.seeding import seed_everything
from rtseg.training.session import Session
from rtseg.training.settings import TrainConfig, weights_path

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]


def open_session(
    config: TrainConfig,
    config_dir: Path,
    folder: RunFolder,
    group: Processes,
    progress: Progress | None = None,
) -> Session:
    """Read the data and build everything that the training needs.

    Args:
        config: of the training.
        config_dir: what paths in it are relative to.
        folder: where it will write.
        group: the processes that train together.
        progress: called with (done, total) as pictures are read.

    Raises:
        RtsegError: the data, a weights file or a name can't be used.
    """
    seed_everything(config.train.seed, config.train.deterministic)
    training, val, extra = _open_data(config, config_dir)
    start = initial_network(config, training.classes, config_dir)
    plan = Plan(config.all_stages, len(training), group.world_size * config.train.accumulate)
    _check_crops(plan, start.network, config.network.name)
    teacher = _teacher(config, config_dir, training, start.normalisation)
    store = PictureStore(training, group.device, config.data.cache, progress=progress)
    batches = Batches(
        store, plan, config.augment, start.normalisation, config.train.seed,
        group.rank, group.world_size, config.train.accumulate, group.device.type == "cuda",
        _learns_objects(config, start.network, training),
    )  # fmt: skip
    precision = pick_precision(config.train.precision, group.device)
    learner = _learner(config, start, teacher, store, plan, precision, group)
    log.info(
        "%s: %d training and %d validation pictures, %d epochs, %d steps, %s on %s, weights %s",
        config.name, len(training), len(val), len(plan.epochs), plan.total_steps,
        precision_name(precision), group.device, start.origin,
    )  # fmt: skip
    return Session(
        config, config_dir, folder, group, start.normalisation, plan, batches, learner, val, extra,
        precision, start.origin,
    )  # fmt: skip


def _learns_objects(
    config: TrainConfig, network: SegmentationNetwork, training: SegmentationDataset
) -> bool:
    """Return whether there are both heads for objects and objects; warn of heads alone."""
    if network.finds_instances and not training.has_instances:
        log.warning(
            "%s has heads for objects, but the training data knows classes alone: those heads "
            "learn nothing; configs/datasets/demo.yaml is data with objects",
            config.network.name,
        )
    return network.finds_instances and training.has_instances


def _open_data(
    config: TrainConfig, config_dir: Path
) -> tuple[SegmentationDataset, SegmentationDataset, dict[str, SegmentationDataset]]:
    """Open all data at once, so that a wrong name ends the training before it begins."""
    training = open_sources(config.data.train, config_dir)
    others = {"data.val": config.data.val} | {
        f"evaluate.{name}": sources for name, sources in config.evaluate.items()
    }
    opened = {key: open_sources(sources, config_dir) for key, sources in others.items()}
    for key, data in opened.items():
        if data.classes.names != training.classes.names:
            raise ConfigError(
                f"data.train has the classes of {training.classes.name!r}, {key} those of "
                f"{data.classes.name!r}; all need the same"
            )
    return (
        training,
        opened.pop("data.val"),
        {key.removeprefix("evaluate."): data for key, data in opened.items()},
    )


def _check_crops(plan: Plan, network: SegmentationNetwork, name: str) -> None:
    for height, width in dict.fromkeys(epoch.crop_hw for epoch in plan.epochs):
        fits = padded_hw((height, width), network.size_multiple, network.min_size)
        if fits != (height, width):
            raise ConfigError(
                f"crop_hw is {height}x{width} (height x width); {name} takes multiples of "
                f"{network.size_multiple} from {network.min_size} up, such as {fits[0]}x{fits[1]}"
            )


def _learner(
    config: TrainConfig,
    start: Start,
    teacher: SegmentationNetwork | None,
    store: PictureStore,
    plan: Plan,
    precision: torch.dtype,
    group: Processes,
) -> Learner:
    layout = torch.channels_last if config.train.channels_last else torch.contiguous_format
    network = group.sync_batch_norm(start.network).to(group.device)
    network.to(memory_format=layout)  # type: ignore[call-overload]
    if teacher is not None:
        teacher.to(group.device).to(memory_format=layout)  # type: ignore[call-overload]
    criterion = _criterion(config, network, store).to(group.device)
    schedule = Schedule(config.schedule, plan.total_steps)
    return Learner(config, network, criterion, schedule, precision, group, teacher, start.fresh)


def _criterion(config: TrainConfig, network: SegmentationNetwork, store: PictureStore) -> Criterion:
    criterion = config.criterion
    if config.distill is not None and criterion.distillation is None:
        criterion = criterion.model_copy(update={"distillation": DistillationConfig()})
    counts = store.class_counts() if _counts_classes(criterion) else None
    return Criterion(criterion, network.heads, network.num_classes, counts)


def _counts_classes(criterion: CriterionConfig) -> bool:
    """Return whether any loss weights classes by how often they occur."""
    terms = [*criterion.terms, *(criterion.auxiliary or [])]
    weightings = [getattr(term, "class_weights", None) for term in terms]  # names or lists
    return any(weighting in list(CLASS_WEIGHTINGS) for weighting in weightings)


def _teacher(
    config: TrainConfig, config_dir: Path, data: SegmentationDataset, normalisation: Normalisation
) -> SegmentationNetwork | None:
    """Load the network to learn from; it must see the same pictures and know the same classes."""
    if config.distill is None:
        return None
    trained = load_trained(weights_path(config.distill.weights, config_dir))
    if trained.card.classes.names != data.classes.names:
        raise ConfigError(
            f"the teacher {config.distill.weights} knows the classes of "
            f"{trained.card.classes.name!r}, the data has those of {data.classes.name!r}; a "
            "teacher needs the same"
        )
    if (trained.card.threshold is not None) != config.network.binary:
        raise ConfigError(
            f"the teacher {config.distill.weights} has {trained.card.num_outputs} channels, "
            f"network.binary is {str(config.network.binary).lower()}; a teacher needs the same"
        )
    if trained.card.normalisation != normalisation:
        raise ConfigError(
            f"the teacher {config.distill.weights} was trained with another normalisation "
            f"({trained.card.normalisation}) than this network has ({normalisation})"
        )
    return trained.network.requires_grad_(False)
