"""From maps of a network to objects: targets to learn from, post-processing, panoptic merge."""
