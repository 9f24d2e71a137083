"""What every network owes: one input, one output, heads that only training sees, and a card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.errors import ConfigError, InputSizeError
from rtseg.registry import Registry

MAIN = "main"
"""The name of the head whose logits `forward` returns."""


HeadTarget = Literal["classes", "boundary", "direction", "energy", "border"]

_CHANNELS: dict[HeadTarget, int] = {"boundary": 1, "direction": 2, "energy": 16, "border": 1}


@dataclass(frozen=True, slots=True)
class TrainingHead:
    """How one output of `forward_train` is supervised.

    Args:
        weight: the factor of its loss in the sum.
        target: ``"classes"`` for logits [N, K, h, w] against the class labels, ``"boundary"`` for
            logits [N, 1, h, w] against the class boundaries. Against the objects: ``"direction"``
            for unit vectors [N, 2, h, w] away from an object's edge, ``"energy"`` for logits
            [N, 16, h, w] of the distance to it in levels, ``"border"`` for logits [N, 1, h, w] of
            where objects touch.
        resize: what is brought to the other's size: ``"logits"`` (bilinear) or ``"labels"``
            (nearest neighbour).
    """

    weight: float
    target: HeadTarget = "classes"
    resize: Literal["logits", "labels"] = "logits"

    @property
    def is_of_instances(self) -> bool:
        """Whether objects are found with its map."""
        return self.target in ("direction", "energy", "border")

    def channels(self, num_classes: int) -> int:
        """Return how many channels its map has where there are K classes."""
        return num_classes if self.target == "classes" else _CHANNELS[self.target]


class SegmentationNetwork(nn.Module):
    """A network that turns pictures into class logits.

    `forward` takes [N, 3, H, W] float, RGB, normalised, and returns logits [N, K, h, w] at the
    network's own output stride, so that whoever runs it resizes once, to the size that is wanted.
    `forward_train` returns the logits of every head, "main" first, named as in `heads`.

    Args:
        num_classes: K.
    """

    size_multiple: ClassVar[int] = 1
    """Heights and widths must be multiples of this."""
    min_size: ClassVar[int] = 32
    """The smallest height and width."""

    heads: Mapping[str, TrainingHead]
    training_modules: ClassVar[tuple[str, ...]] = ()
    """Attributes that only `forward_train` uses; `remove_training_heads` deletes them."""
    instance_modules: ClassVar[tuple[str, ...]] = ()
    """Attributes that only the maps of objects need; weights files keep them."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        if num_classes < 1:
            raise ConfigError(f"num_classes is {num_classes}; 1 or more are needed")
        self.num_classes = num_classes
        self.heads = {MAIN: TrainingHead(1.0)}

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [N, K, h, w] of normalised RGB `images` [N, 3, H, W].

        Raises:
            InputSizeError: the network can't take this height and width.
        """
        raise NotImplementedError

    def forward_train(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits of every head by name; networks without further heads keep this."""
        return {MAIN: self(images)}

    def forward_instances(self, images: Tensor) -> dict[str, Tensor]:
        """Return "main" and the maps of the instance heads by name, as deployed.

        Networks without instance heads keep this.
        """
        return {MAIN: self(images)}

    @property
    def finds_instances(self) -> bool:
        """Whether the network, as it is, has maps to find objects with."""
        return any(head.is_of_instances for head in self.heads.values())

    def check_size(self, images: Tensor) -> None:
        """Refuse a height or width that the network can't take, naming the size that would do."""
        height, width = images.shape[-2:]
        padded = padded_hw((height, width), self.size_multiple, self.min_size)
        if padded != (height, width):
            raise InputSizeError(
                f"{type(self).__name__} can't take {height}x{width} (height x width): both must "
                f"be multiples of {self.size_multiple} and at least {self.min_size}; "
                f"pad to {padded[0]}x{padded[1]}"
            )

    def remove_training_heads(self, keep_instances: bool = False) -> SegmentationNetwork:
        """Delete what only training uses, in place, and return the network.

        Args:
            keep_instances: whether `forward_instances` is wanted; else all but `forward` goes.
        """
        gone = (
            self.training_modules
            if keep_instances
            else self.training_modules + self.instance_modules
        )
        for name in gone:
            if hasattr(self, name):
                delattr(self, name)
        self.heads = {
            name: head
            for name, head in self.heads.items()
            if name == MAIN or (keep_instances and head.is_of_instances)
        }
        return self


def padded_hw(hw: tuple[int, int], multiple: int, minimum: int = 1) -> tuple[int, int]:
    """Return the smallest height and width ≥ `hw` and ≥ `minimum` that `multiple` divides."""
    height, width = (-(-max(size, minimum) // multiple) * multiple for size in hw)
    return height, width


def resize_logits(logits: Tensor, hw: tuple[int, int]) -> Tensor:
    """Bring logits [N, K, h, w] to the pictures' height and width `hw`; align_corners=False.

    A map of stride s covers s times its own size, which is more than the picture where s doesn't
    divide that. So much is made and the rest cut off: stretched over the picture, labels would
    slide off it by up to s - 1 pixels towards the right and the bottom.
    """
    if tuple(logits.shape[-2:]) == hw:
        return logits
    covered = [_covered(size, cells) for size, cells in zip(hw, logits.shape[-2:], strict=True)]
    resized = F.interpolate(logits, size=covered, mode="bilinear", align_corners=False)
    return resized[..., : hw[0], : hw[1]]


def _covered(size: int, cells: int) -> int:
    """Return how many pixels `cells` cover of which a power of two makes ceil(size / stride)."""
    stride = 1
    while stride * cells < size:
        stride *= 2
    return stride * cells if -(-size // stride) == cells else size


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """What is known of one registered network, counted figures included.

    Args:
        title: the name as the paper writes it, with the variant.
        paper: authors, title, venue, year.
        url: where the paper is.
        structure: one or two sentences: which structure this is, where it departs from the paper.
        parameters: trainable parameters of the deployed network (training heads removed) at
            `count_classes` classes.
        gmacs: multiply-adds of convolutions and matrix products of one picture, in 10^9, at
            `count_hw` and `count_classes`; 1 MAC = 2 FLOPs.
        count_hw: height and width of that picture.
        count_classes: classes of both counts.
    """

    title: str
    paper: str
    url: str
    structure: str
    parameters: int
    gmacs: float
    count_hw: tuple[int, int] = (1024, 2048)
    count_classes: int = 19


@dataclass(frozen=True, slots=True)
class NetworkEntry:
    """A registered network: how to build it for K classes, and its card."""

    build: Callable[[int], SegmentationNetwork]
    card: NetworkCard


NETWORKS: Registry[NetworkEntry] = Registry("network")
"""Every network by name; importing `rtseg.networks` fills it."""


def build_network(name: str, num_classes: int) -> SegmentationNetwork:
    """Build a freshly initialised network.

    Raises:
        UnknownNameError: no network is registered as `name`.
        ConfigError: `num_classes` is not positive.
    """
    return NETWORKS[name].build(num_classes)
