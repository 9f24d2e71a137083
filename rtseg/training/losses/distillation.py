"""Learning from a teacher's logits."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from rtseg.classes import VOID
from rtseg.config import Config
from rtseg.training.losses.loss import mean_where_weighted


class DistillationConfig(Config):
    """How much the teacher's answer counts."""

    weight: float = Field(
        default=1.0, gt=0, description="The factor of this loss in the sum; above 0."
    )
    temperature: float = Field(
        default=4.0, gt=0, description="Both logits are divided by it; above 1 softens the answers."
    )
    mask_void: bool = Field(
        default=True,
        description="Leave out the pixels without a label, the padding of crops among them.",
    )


class Distillation(nn.Module):
    """KL divergence of the student's softened answer from the teacher's, times temperature^2.

    Hinton 2015, "Distilling the knowledge in a neural network", section 2.
    """

    def __init__(self, config: DistillationConfig) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.mask_void = config.mask_void

    def forward(self, logits: Tensor, teacher_logits: Tensor, labels: Tensor) -> Tensor:
        """Return the mean over the pixels of sum_k t_k * (log t_k - log s_k), times T^2.

        Args:
            logits: the student's, [N, K, H, W].
            teacher_logits: [N, K, H, W]; no gradient flows into them.
            labels: int64 [N, H, W]; only where they are void matters.
        """
        student = F.log_softmax(logits.float() / self.temperature, dim=1)
        teacher = F.log_softmax(teacher_logits.detach().float() / self.temperature, dim=1)
        divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(dim=1)
        weights = (
            (labels != VOID).float()
            if self.mask_void
            else divergence.new_ones(()).expand_as(divergence)
        )
        return self.temperature**2 * mean_where_weighted(divergence, weights)
