"""The class ids that the demo drive draws: CamVid's, by name."""

from __future__ import annotations

from typing import Final

from rtseg.classes import CAMVID

SKY: Final = CAMVID.id_of("Sky")
BUILDING: Final = CAMVID.id_of("Building")
POLE: Final = CAMVID.id_of("Pole")
ROAD: Final = CAMVID.id_of("Road")
PAVEMENT: Final = CAMVID.id_of("Pavement")
TREE: Final = CAMVID.id_of("Tree")
SIGN: Final = CAMVID.id_of("SignSymbol")
FENCE: Final = CAMVID.id_of("Fence")
CAR: Final = CAMVID.id_of("Car")
PEDESTRIAN: Final = CAMVID.id_of("Pedestrian")
BICYCLIST: Final = CAMVID.id_of("Bicyclist")
