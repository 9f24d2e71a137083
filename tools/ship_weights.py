#!/usr/bin/env python
"""Put a training's weights into rtseg/weights/, with a card that also tells the held-out figures.

    python tools/ship_weights.py RUN HELDOUT_RUN

RUN is the folder of a finished training on all pictures; its final.safetensors is shipped.
HELDOUT_RUN is the folder of the training without the held-out sequence that RUN started from: only
its figures are about pictures that the network had not seen.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtseg.errors import RtsegError
from rtseg.networks.trained import ModelCard, load_trained, read_card, save_trained
from rtseg.training.model_card import card_page
from rtseg.weights import WEIGHTS_DIR


def shipped_card(run: ModelCard, heldout: ModelCard) -> ModelCard:
    """Return the card of `run` with the metrics of both trainings, each under its own name."""
    metrics = {f"{key}": value for key, value in heldout.metrics.items()}
    metrics |= {key: value for key, value in run.metrics.items() if key.startswith("demo/")}
    training = {**run.training, "first_phase": heldout.training}
    return dataclasses.replace(run, metrics=metrics, training=training)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("heldout_run", type=Path)
    arguments = parser.parse_args()
    try:
        source = arguments.run / "final.safetensors"
        trained = load_trained(source)
        card = shipped_card(trained.card, read_card(arguments.heldout_run / "final.safetensors"))
        target = WEIGHTS_DIR / f"{card.name}.safetensors"
        save_trained(target, trained.network, card)
        target.with_suffix(".md").write_text(card_page(card, {}, []), encoding="utf-8")
    except RtsegError as error:
        sys.stderr.write(f"ship_weights: {error}\n")
        return 2
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
