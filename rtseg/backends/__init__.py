"""Running compiled networks. One file = one backend; none of them needs the networks' code."""
