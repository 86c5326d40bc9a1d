"""Storable text: what PostgreSQL can hold of text that a peer wrote."""

TEXT_LENGTH_MAX = 400
"""Characters kept of one attribute: at four bytes each it still fits an index row (2,704 bytes)."""


def storable(text: str, length_max: int = TEXT_LENGTH_MAX) -> str:
    """`text` without what PostgreSQL refuses (NUL, lone surrogates: shown as U+FFFD), cut at `length_max`.

    A refused value would stop a node's whole flush for ever, so nothing that a peer wrote goes in unseen.
    """
    replaced = text[:length_max].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return replaced.replace("\x00", "\N{REPLACEMENT CHARACTER}")
