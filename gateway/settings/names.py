"""Nearest names: what to say after a name that is not known."""

import difflib
from collections.abc import Collection

NAMED_AT_MOST = 40
"""Known names that a message still lists."""


def nearest(name: str, known: Collection[str]) -> str:
    """What to say after a name that is not known: the nearest that is, else all, if they are few."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(sorted(known))}" if len(known) <= NAMED_AT_MOST else ""
