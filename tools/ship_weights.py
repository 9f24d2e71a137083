#!/usr/bin/env python3
"""Put a training's weights into rtseg/weights/; the card tells only figures on unseen pictures.

    python tools/ship_weights.py RUN HELDOUT_RUN

RUN is the folder of a finished training on all pictures; its final.safetensors is shipped.
HELDOUT_RUN is the folder of the training that RUN started from: its figures on the held-out
sequence and on val are about pictures that it had not seen, which RUN's would not be.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rtseg.errors import RtsegError, WeightsError
from rtseg.networks.trained import ModelCard, load_trained, read_card, save_trained
from rtseg.training.model_card import card_page
from rtseg.weights import WEIGHTS_DIR

FINAL = "final.safetensors"
FIGURES = (
    "heldout and val: of the first phase, which saw neither; the shipped weights then learned from "
    "those pictures too. demo: of the shipped weights, on seeds never trained on"
)


def shipped_card(run: ModelCard, heldout: ModelCard) -> ModelCard:
    """Return RUN's card with each figure from the training that had not seen its pictures.

    Raises:
        WeightsError: the two are different networks, or a figure that is needed is missing.
    """
    if run.network != heldout.network:
        raise WeightsError(f"RUN is a {run.network}, HELDOUT_RUN a {heldout.network}")
    metrics = {
        **{key: value for key, value in heldout.metrics.items() if not key.startswith("demo/")},
        **{key: value for key, value in run.metrics.items() if key.startswith("demo/")},
    }
    for split in ("heldout", "val", "demo"):
        if f"{split}/mean_iou" not in metrics:
            raise WeightsError(f"no mean IoU on {split}: finish both trainings first")
    training = {**run.training, "figures": FIGURES, "first_phase": heldout.training}
    return dataclasses.replace(run, metrics=metrics, training=training)


def figures_table(card: ModelCard) -> str:
    """Return the card's metrics as a Markdown table, one column for each data set, in percent."""
    splits = list(dict.fromkeys(key.split("/")[0] for key in card.metrics))
    rows = list(dict.fromkeys(key.split("/", 1)[1] for key in card.metrics))
    lines = ["| % | " + " | ".join(splits) + " |", "|---" + "|---:" * len(splits) + "|"]
    for row in rows:
        cells = (card.metrics.get(f"{split}/{row}") for split in splits)
        shown = ("-" if cell is None else f"{100 * cell:.1f}" for cell in cells)
        lines.append(f"| {row.replace('iou/', 'IoU ').replace('_', ' ')} | {' | '.join(shown)} |")
    return "\n".join(lines)


def ship(run: Path, heldout_run: Path, target_dir: Path) -> Path:
    """Write NAME.safetensors and NAME.md into `target_dir`; return the former's path."""
    trained = load_trained(run / FINAL)
    card = shipped_card(trained.card, read_card(heldout_run / FINAL))
    target = target_dir / f"{card.name}.safetensors"
    save_trained(target, trained.network, card)
    target.with_suffix(".md").write_text(page(card), encoding="utf-8")
    return target


def page(card: ModelCard) -> str:
    """Return the card as a page: figures in a table, the recipe of the first phase at the end."""
    first = dict(card.training["first_phase"])
    recipe = yaml.safe_dump(first.pop("recipe"), sort_keys=False)
    training = {key: value for key, value in card.training.items() if key != "figures"}
    short = dataclasses.replace(card, training={**training, "first_phase": first})
    figures = f"## Figures\n\nIn percent. {FIGURES}.\n\n{figures_table(card)}\n\n## Training\n"
    text = card_page(short, {}, []).replace("## Training\n", figures, 1)
    return f"{text}\n## Recipe of the first phase\n\n```yaml\n{recipe}```\n"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("heldout_run", type=Path, metavar="HELDOUT_RUN")
    arguments = parser.parse_args()
    try:
        target = ship(arguments.run, arguments.heldout_run, WEIGHTS_DIR)
    except RtsegError as error:
        sys.stderr.write(f"ship_weights: {error}\n")
        return 2
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
