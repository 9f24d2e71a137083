"""The sum that a training brings down: losses of every head, the boundaries, a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Union

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.config import Config
from rtseg.errors import ConfigError
from rtseg.networks.binary import with_background
from rtseg.networks.network import MAIN, TrainingHead, resize_logits
from rtseg.training.class_weights import ClassCounts
from rtseg.training.losses import LOSSES, LossConfig
from rtseg.training.losses.boundary import BoundaryLoss
from rtseg.training.losses.cross_entropy import CrossEntropyConfig
from rtseg.training.losses.distillation import Distillation, DistillationConfig
from rtseg.training.losses.objects import BorderLoss, DirectionLoss, EnergyLoss
from rtseg.training.object_targets import ObjectTargets

if TYPE_CHECKING:
    AnyLoss = LossConfig
else:
    # A union told apart by the name, so that a wrong key is measured against its own loss.
    AnyLoss = Annotated[
        Union[tuple(config for _, config in LOSSES.items())],  # noqa: UP007
        Field(discriminator="name"),
    ]


class BoundaryConfig(Config):
    """What networks with a head for boundaries learn from it; others take no notice."""

    width_px: int = Field(
        default=4,
        ge=2,
        le=32,
        description="Width of the boundaries between classes, even, label pixels.",
    )
    aware_threshold: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        description="From this boundary probability on, a pixel is looked at again.",
    )
    aware_weight: float = Field(
        default=1.0,
        ge=0,
        description="Factor of the main head's losses on those pixels; 0 for none.",
    )

    @field_validator("width_px")
    @classmethod
    def _is_even(cls, width_px: int) -> int:
        if width_px % 2:
            raise ValueError("give an even number: as much on both sides")
        return width_px


class CriterionConfig(Config):
    """Which losses make the sum."""

    terms: list[AnyLoss] = Field(
        default=[CrossEntropyConfig()],
        min_length=1,
        description="Losses of the main head, each with its name, weight and own keys.",
    )
    auxiliary: list[AnyLoss] | None = Field(
        default=None,
        min_length=1,
        description="Losses of the auxiliary class heads; by default the same as the main head's. "
        "The network itself says how much each head counts.",
    )
    boundary: BoundaryConfig = Field(
        default=BoundaryConfig(), description="For networks with a boundary head."
    )
    distillation: DistillationConfig | None = Field(
        default=None, description="Learn from a teacher's logits too, on the main head."
    )


class Criterion(nn.Module):
    """The whole loss of a network's `forward_train`.

    Args:
        config: which losses.
        heads: the network's `heads`.
        num_classes: K, the channels of the logits; 1 for a binary network, which the losses then
            meet in their binary form.
        class_counts: needed where class weights are counted.

    Raises:
        ConfigError: class weights are asked for that can't be had, or a loss has no form for a
            binary network.
    """

    def __init__(
        self,
        config: CriterionConfig,
        heads: Mapping[str, TrainingHead],
        num_classes: int,
        class_counts: ClassCounts | None = None,
    ) -> None:
        super().__init__()
        self.heads = dict(heads)
        self.boundary = config.boundary
        self.main_terms = _WeightedSum(config.terms, num_classes, class_counts)
        self.auxiliary_terms = _WeightedSum(
            config.auxiliary or config.terms, num_classes, class_counts
        )
        self.boundary_loss = BoundaryLoss(config.boundary.width_px)
        self.direction_loss = DirectionLoss()
        self.energy_loss = EnergyLoss()
        self.border_loss = BorderLoss()
        self.distillation_weight = config.distillation.weight if config.distillation else 0.0
        self.distillation = Distillation(config.distillation or DistillationConfig())

    @property
    def needs_teacher(self) -> bool:
        """Whether `forward` must be given a teacher's logits."""
        return self.distillation_weight > 0

    def forward(
        self,
        outputs: Mapping[str, Tensor],
        labels: Tensor,
        teacher_logits: Tensor | None = None,
        objects: ObjectTargets | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum and its parts, all in float32, under autocast too.

        Args:
            outputs: logits of every head by name, as `forward_train` returns them.
            labels: int64 [N, H, W], 255 for void.
            teacher_logits: [N, K, h, w] of any size; needed exactly where distillation is on.
            objects: of the labels' size; without them heads for objects learn nothing.

        Returns:
            The sum, and by name what each part adds to it, detached: ``main/cross_entropy``,
            ``boundary``, ``boundary_aware/ohem``, ``distillation``, ….

        Raises:
            ConfigError: a head's logits are missing, or the teacher's, or those came unasked for.
        """
        self._check(outputs, teacher_logits)
        with torch.autocast(labels.device.type, enabled=False):
            logits = {name: _float32(outputs[name]) for name in self.heads}
            main_logits = _resized_logits(logits[MAIN], labels)
            if self.heads[MAIN].resize == "logits":
                logits[MAIN] = main_logits
            parts: dict[str, Tensor] = {}
            for name, head in self.heads.items():
                if not head.is_of_instances:
                    parts |= self._head_parts(name, logits[name], labels)
                elif objects is not None:
                    maps = _resized_logits(logits[name], labels)
                    loss = self._object_loss(head, maps, labels, objects)
                    parts[name] = head.weight * loss
            parts |= self._boundary_aware_parts(main_logits, logits, labels)
            if teacher_logits is not None:
                teacher = _resized_logits(_float32(teacher_logits), labels)
                both = [_class_logits(each) for each in (main_logits, teacher)]
                divergence = self.distillation(*both, labels)
                parts["distillation"] = self.distillation_weight * divergence
            total = torch.stack(list(parts.values())).sum()
        return total, {name: part.detach() for name, part in parts.items()}

    def _check(self, outputs: Mapping[str, Tensor], teacher_logits: Tensor | None) -> None:
        missing = [name for name in self.heads if name not in outputs]
        if missing:
            raise ConfigError(
                f"the network gave no logits for its heads {missing}; it gave {list(outputs)}"
            )
        if self.needs_teacher != (teacher_logits is not None):
            raise ConfigError(
                "distillation needs a teacher's logits; name a teacher"
                if self.needs_teacher
                else "a teacher's logits came, but distillation is off; set criterion.distillation"
            )

    def _head_parts(self, name: str, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the parts of one head, its weight in them."""
        head = self.heads[name]
        if head.resize == "logits":
            logits = _resized_logits(logits, labels)
        else:
            labels = _resized_labels(labels, logits)
        if head.target == "boundary":
            return {name: head.weight * self.boundary_loss(logits, labels)}
        terms = self.main_terms if name == MAIN else self.auxiliary_terms
        return {
            f"{name}/{term}": head.weight * value for term, value in terms(logits, labels).items()
        }

    def _object_loss(
        self, head: TrainingHead, maps: Tensor, labels: Tensor, objects: ObjectTargets
    ) -> Tensor:
        loss: Tensor
        if head.target == "direction":
            loss = self.direction_loss(maps, objects.direction, objects.weights)
        elif head.target == "energy":
            loss = self.energy_loss(maps, objects.energy, objects.weights)
        else:
            loss = self.border_loss(maps, objects.border, labels)
        return loss

    def _boundary_aware_parts(
        self, main_logits: Tensor, logits: Mapping[str, Tensor], labels: Tensor
    ) -> dict[str, Tensor]:
        """Return the main head's losses where the network itself sees a boundary (PIDNet, 3.4)."""
        names = [name for name, head in self.heads.items() if head.target == "boundary"]
        if not names or self.boundary.aware_weight == 0:
            return {}
        boundary_logits = _resized_logits(logits[names[0]].detach(), labels)
        seen = boundary_logits.squeeze(1).sigmoid() > self.boundary.aware_threshold
        terms = self.main_terms(main_logits, labels.where(seen, VOID))
        return {
            f"boundary_aware/{term}": self.boundary.aware_weight * value
            for term, value in terms.items()
        }


class _WeightedSum(nn.Module):
    """Losses by name, each times its weight; a name that stands twice is numbered."""

    def __init__(
        self, configs: Sequence[LossConfig], num_classes: int, class_counts: ClassCounts | None
    ) -> None:
        super().__init__()
        self.losses = nn.ModuleList(
            config.build_binary(class_counts)
            if num_classes == 1
            else config.build(num_classes, class_counts)
            for config in configs
        )
        self.weights = [config.weight for config in configs]
        names = [config.name for config in configs]
        self.names = [
            name if names.count(name) == 1 else f"{name}_{position}"
            for position, name in enumerate(names, start=1)
        ]

    def forward(self, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return each loss times its weight."""
        parts = zip(self.names, self.weights, self.losses, strict=True)
        return {name: weight * loss(logits, labels) for name, weight, loss in parts}


def _float32(logits: Tensor) -> Tensor:
    """Losses read logits plane by plane; channels last is about a third slower on a CPU."""
    return logits.to(torch.float32, memory_format=torch.contiguous_format)


def _class_logits(logits: Tensor) -> Tensor:
    """Return one channel for each class, also of a binary network's logits."""
    return with_background(logits) if logits.shape[1] == 1 else logits


def _resized_logits(logits: Tensor, labels: Tensor) -> Tensor:
    height, width = labels.shape[-2:]
    return resize_logits(logits, (height, width))


def _resized_labels(labels: Tensor, logits: Tensor) -> Tensor:
    """Take the label in the middle of each of the logits' pixels."""
    if logits.shape[-2:] == labels.shape[-2:]:
        return labels
    planes = labels.unsqueeze(1).to(torch.uint8)  # ids and void fit; int64 can't be interpolated
    return F.interpolate(planes, size=logits.shape[-2:], mode="nearest-exact").squeeze(1).long()
