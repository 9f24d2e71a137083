"""The work of ``rtseg compare``: the contest, its processes, and what is made of their results."""
