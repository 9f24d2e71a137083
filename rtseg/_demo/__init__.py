"""The machinery of the demo drive: one file per kind of thing in the street."""
