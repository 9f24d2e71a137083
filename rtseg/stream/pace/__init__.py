"""A rate that is kept: which size the network runs at."""
