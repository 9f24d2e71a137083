"""One random state for a whole training, and the choice of operations that repeat themselves."""

from __future__ import annotations

import os

import torch


def seed_everything(seed: int, deterministic: bool) -> None:
    """Seed torch; in deterministic mode, take operations that repeat themselves bit for bit.

    A few operations on CUDA have no such form; torch names each of them in a warning. numpy needs
    no seeding: every generator is made from the seed where it is used.
    """
    torch.manual_seed(seed)
    if deterministic:
        # Read when cuBLAS makes its first handle; without it matrix products may differ.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.benchmark = not deterministic
