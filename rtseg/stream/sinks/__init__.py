"""Where annotated pictures go. One file = one kind of output."""
