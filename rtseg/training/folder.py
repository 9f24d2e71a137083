"""The folder of one run: what its files are called, and that no run overwrites another."""

from __future__ import annotations

from pathlib import Path

from rtseg.errors import ConfigError


class RunFolder:
    """Where a training writes.

    Args:
        path: the folder; made by `claim`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.last = path / "last.pt"
        self.best = path / "best.safetensors"
        self.final = path / "final.safetensors"
        self.steps = path / "steps.csv"
        self.metrics = path / "metrics.json"
        self.card = path / "model_card.md"
        self.events = path / "tensorboard"

    def claim(self, resume: bool) -> None:
        """Make the folder, or refuse one that holds trained work, if not to resume it.

        Raises:
            ConfigError: it holds a run already, or can't be made.
        """
        held = [path.name for path in (self.last, self.best, self.final) if path.exists()]
        if held and not resume:
            raise ConfigError(
                f"{self.path} holds a run already ({', '.join(held)}): add --resume to go on with "
                "it, or --output with another folder to start a new one"
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"can't make the output folder {self.path}: {error.strerror}; choose another "
                "with --output"
            ) from error
