"""Losses. One file is one family; `LOSSES` holds the config of each by name."""

from rtseg.training.losses import border_weight as _border_weight  # noqa: F401
from rtseg.training.losses import cross_entropy as _cross_entropy  # noqa: F401
from rtseg.training.losses import dual_task as _dual_task  # noqa: F401
from rtseg.training.losses import focal as _focal  # noqa: F401
from rtseg.training.losses import lovasz_hinge as _lovasz_hinge  # noqa: F401
from rtseg.training.losses import lovasz_softmax as _lovasz_softmax  # noqa: F401
from rtseg.training.losses import ohem as _ohem  # noqa: F401
from rtseg.training.losses import overlap as _overlap  # noqa: F401
from rtseg.training.losses.loss import LOSSES, Loss, LossConfig

__all__ = ["LOSSES", "Loss", "LossConfig"]
