"""Queries: every statement that the room asks for exists, and none lies idle."""

import re
from pathlib import Path

import gateway.catalogue
from gateway.catalogue.queries import queries

ROOM = Path(gateway.catalogue.__file__).parent


def test_every_query_is_used_and_every_used_one_exists() -> None:
    code = "\n".join(path.read_text() for path in ROOM.glob("*.py"))
    used = set(re.findall(r'queries\("([a-z]+)"\)\["([a-z_]+)"\]', code))
    nouns = {path.stem for path in (ROOM / "sql").glob("*.sql")} - {"schema"}
    stored = {(noun, name) for noun in nouns for name in queries(noun)}
    in_a_loop = {("roles", name) for name in queries("roles")} | {
        ("embedded", name) for name in queries("embedded")
    }
    assert used - stored == set()
    assert stored - used - in_a_loop == set()
