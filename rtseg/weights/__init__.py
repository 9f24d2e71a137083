"""Trained weights that come with the package, one safetensors file each; see README.md here."""

from pathlib import Path

WEIGHTS_DIR = Path(__file__).resolve().parent
"""The folder of the shipped weights."""
