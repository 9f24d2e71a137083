"""Where frames come from. One file = one kind of source."""
