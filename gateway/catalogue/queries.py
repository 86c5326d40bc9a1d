"""Queries: the named statements of the `.sql` files beside this room."""

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


@cache
def queries(noun: str) -> dict[str, str]:
    """All statements of `sql/<noun>.sql` by name. A statement begins at its `-- name: x` line."""
    text = files("gateway.catalogue").joinpath("sql", f"{noun}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    named = {name: body.strip().removesuffix(";") for name, body in zip(parts[::2], parts[1::2], strict=True)}
    if len(named) * 2 != len(parts):
        raise ValueError(f"sql/{noun}.sql names a query twice")
    return named
