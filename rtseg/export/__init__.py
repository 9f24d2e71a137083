"""From a trained network to an engine folder."""
