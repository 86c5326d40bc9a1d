"""The operator's socket: whatever is asked gets an answer in words, and only a defect is a 500."""

import asyncio
import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import aiohttp
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from gateway.listeners import SOCKET_NAME
from gateway.listeners.asked import RequestError, number
from gateway.listeners.callers import SECONDS_MAX, Callers, wanted_of
from gateway.listeners.commitments import CommitmentRoutes
from gateway.listeners.operator import BODY_LENGTH_MAX, OperatorListener
from gateway.model.association import ApplicationEntity, Grant, Granted, GrantWanted, Role
from gateway.model.identifiers import VaultId
from tests.unit.listeners.test_callers import EXISTING, NOW

GOOD: dict[str, Any] = {
    "calling": "SCANNER", "called": "KUVA", "vault": "north", "role": "own", "description": "", "idle_seconds": 60,
    "preset": "strict", "rules": {}, "prefer": ["1.2.840.10008.1.2"],
}  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NESTED = b'{"reason":' + b"[" * 900 + b"]" * 900 + b',"calling":' + b"[" * 900 + b"]" * 900 + b"}"
NOT_ASKED = [
    b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 5000, NESTED, b"{}",
    orjson.dumps(GOOD | {"idle_seconds": "nan"}), orjson.dumps(GOOD | {"idle_seconds": -1}),
    orjson.dumps(GOOD | {"idle_seconds": 0}), orjson.dumps(GOOD).replace(b":60", b":1e999"),
    orjson.dumps(GOOD | {"preset": ["strict"]}), orjson.dumps(GOOD | {"rules": {"x": "never"}}),
    orjson.dumps(GOOD | {"rules": {"x": [[]]}}), orjson.dumps(GOOD | {"rules": ["x"]}),
    orjson.dumps(GOOD | {"prefer": [{}]}), orjson.dumps(GOOD | {"prefer": ["01.2"]}),
    orjson.dumps(GOOD | {"called": 7}), orjson.dumps(GOOD | {"calling": "A\\B"}),
    orjson.dumps(GOOD | {"role": "owner"}), orjson.dumps(GOOD | {"vault": 7}),
]  # fmt: skip


class Grants:
    """Keeps what is added, as the catalogue would."""

    def __init__(self) -> None:
        self.added: list[GrantWanted] = []

    async def vaults(self) -> tuple[()]:
        return ()

    async def add(self, wanted: GrantWanted) -> Granted:
        self.added.append(wanted)
        caller = wanted.caller.applied_to(ApplicationEntity(wanted.caller.title))
        grant = Grant(caller, wanted.called, VaultId(UUID(int=1)), Role.OWN, wanted.valid_from)
        return Granted(grant, "north", new=True, vault_made=True, changes=())


async def answers(
    folder: Path, asked: list[tuple[str, bytes | None]]
) -> tuple[list[tuple[int, bytes]], Grants]:
    """Asks for, or posts each body, over the real socket: statuses with bodies, and what was added."""
    grants = Grants()
    catalogue: Any = SimpleNamespace(grants=grants)
    nothing: Any = None
    callers = Callers(catalogue, EXISTING)
    listener = OperatorListener(
        folder, nothing, catalogue, nothing, callers=callers, discarder=nothing,
        commitments=CommitmentRoutes(catalogue, on_retry=lambda: None, uncommitted_after_days=7.0), overview=nothing,
    )  # fmt: skip
    await listener.open()
    connector = aiohttp.UnixConnector(str(folder / SOCKET_NAME))
    found = []
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            for path, body in asked:
                url = URL(f"http://operator{path}", encoded=True)
                method = "GET" if body is None else "POST"
                async with session.request(method, url, data=body) as response:
                    found.append((response.status, await response.read()))
    finally:
        await listener.close()
    return found, grants


def test_a_request_that_makes_no_sense_is_told_so_and_changes_nothing(tmp_path: Path):
    asked = [("/ae", body) for body in NOT_ASKED] + [("/incidents/1/resolve", body) for body in NOT_ASKED]
    found, grants = asyncio.run(answers(tmp_path, asked))
    assert [status for status, _ in found] == [400] * len(asked)
    assert all(orjson.loads(body)["error"] for _, body in found)
    assert not grants.added


NO_UID = ["%00", "1.2%003", "%ED%A0%80", "%FF", "1" * 65, "1..2", "1.2%0A", "%20", "%D9%A3", "x" * 4000]


def test_a_study_that_nothing_can_be_called_is_told_as_no_uid_before_the_catalogue_is_asked(tmp_path: Path):
    places = ("/studies/{}", "/incidents?study={}")
    asked: list[tuple[str, bytes | None]] = [
        (place.format(text), None) for place in places for text in NO_UID
    ]
    found, _ = asyncio.run(answers(tmp_path, asked))
    assert [status for status, _ in found] == [400] * len(asked)
    assert all("not a UID" in orjson.loads(body)["error"] for _, body in found)


def test_a_good_request_still_gets_through_and_a_long_one_does_not(tmp_path: Path):
    long = orjson.dumps(GOOD | {"description": "x" * BODY_LENGTH_MAX})
    found, grants = asyncio.run(answers(tmp_path, [("/ae", orjson.dumps(GOOD)), ("/ae", long)]))
    assert [status for status, _ in found] == [200, 413]
    assert [wanted.caller.idle_seconds for wanted in grants.added] == [60.0]


@given(st.dictionaries(st.sampled_from(sorted(GOOD)), JSON), st.sampled_from(sorted(GOOD)))
def test_any_json_is_an_application_entity_or_an_error_of_ours(change: dict[str, Any], dropped: str):
    body = {name: value for name, value in (GOOD | change).items() if name != dropped}
    with contextlib.suppress(RequestError):
        change = wanted_of(body, EXISTING, NOW).caller
        assert change.idle_seconds is None or 1 <= change.idle_seconds <= SECONDS_MAX


@given(st.text(max_size=30))
def test_a_number_in_a_query_is_one_or_is_refused(text: str):
    try:
        assert 0 <= number(text) < 10**18
    except RequestError:
        assert not (text.isascii() and text.isdecimal() and len(text) <= 18)


@pytest.mark.parametrize("text", ["-1", "1e3", "0x10", "9" * 19, "", " 1", "1_000"])
def test_what_only_looks_like_a_number_is_refused(text: str):
    with pytest.raises(RequestError):
        number(text)
