"""The machinery of the demo drive: one file per kind of thing that stands or moves in the street."""
