"""Rescue: a damaged copy is no reason for 0000H. The same content is kept again, and given out from then on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.damage import damage, lose_to_a_power_cut
from tests.foreign import get, identifier
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct
from tests.integration.test_incidents import incident, journal, restart, status, twin_of

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]

NOT_TOLD = """
from gateway.journal import Journal
Journal.damaged = lambda self, receive_id: None
"""
NOT_KNOWN = """
from dataclasses import replace
from gateway.catalogue.studies import Studies
known = Studies.known

async def forgetful(self, vault, study):
    return replace(await known(self, vault, study), damaged=())

Studies.known = forgetful
"""
NOT_CHOSEN = """
from dataclasses import replace
from gateway.catalogue.incidents import Incidents
choices = Incidents.choices

async def careless(self, vault, study):
    return replace(await choices(self, vault, study), damaged=frozenset())

Incidents.choices = careless

# Else the sound copy would be found when the damaged one cannot be read.
from gateway.access import retrieve
retrieve.PLACES_MAX = 0
"""


def fetched(gateway: GatewayProcess, one: Instance) -> dict[str, bytes]:
    return get(gateway, identifier("STUDY", StudyInstanceUID=one.study), [(CT, EXPLICIT)])[1]


def stored(gateway: GatewayProcess, one: Instance, folder: Path) -> None:
    assert status(gateway, one, folder) == 0
    eventually(lambda: fetched(gateway, one) == {one.sop_instance: one.data_set}, 10, "landing")


def kept_when_sent(gateway: GatewayProcess, one: Instance, folder: Path) -> int:
    """Bytes really kept by one C-STORE that is answered 0000H."""
    before = gateway.counters()["bytes_kept"]
    assert status(gateway, one, folder) == 0
    return gateway.counters()["bytes_kept"] - before


def found_damaged(gateway: GatewayProcess, one: Instance) -> dict[str, Any]:
    assert fetched(gateway, one) == {}, "never given out"
    return incident(gateway, one, "damaged")


def is_rescued(gateway: GatewayProcess, one: Instance, folder: Path) -> None:
    """It was sent again: the bytes are given out, what is said of it is true, and it is an ordinary instance."""
    eventually(
        lambda: incident(gateway, one, "damaged")["state"] == "resolved", 40, "the end of the incident"
    )
    eventually(lambda: fetched(gateway, one) == {one.sop_instance: one.data_set}, 10)
    ended = incident(gateway, one, "damaged")
    assert (ended["resolution"], ended["resolved_by"]) == ("rescued", "kuva")
    copies = [e for e in journal(gateway) if e["sop_instance"] == one.sop_instance and e["verdict"] == "kept"]
    newest = {"node": gateway.ready["node"], **{k: copies[0][k] for k in ("epoch", "position")}}
    assert ended["rescued"] == newest != ended["receive_id"]
    assert kept_when_sent(gateway, one, folder) == 0, "once is enough"
    assert status(gateway, twin_of(one), folder) == 0xC0D1


@pytest.mark.parametrize("mended", [False, True])
@pytest.mark.parametrize("side", [16, 512])
def test_the_same_content_again_is_kept_and_given_out_where_its_copy_was_found_damaged(
    another_gateway: Make, tmp_path: Path, side: int, mended: bool
):
    gateway, one = another_gateway(), ct(side=side)
    stored(gateway, one, tmp_path)
    assert kept_when_sent(gateway, one, tmp_path) == 0, "control: it is here"
    damage(gateway, one, mended=mended)
    found = found_damaged(gateway, one)
    assert (found["state"], found["rescued"]) == ("open", None)
    assert status(gateway, twin_of(one), tmp_path) == 0xC0D1, "what it was is still known"
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)
    is_rescued(gateway, one, tmp_path)
    gateway.kill()
    if mended:  # else a start calls it rot, and stops
        gateway.start()
        is_rescued(gateway, one, tmp_path)


def test_what_was_found_damaged_is_known_after_a_crash(another_gateway: Make, tmp_path: Path):
    gateway, one = another_gateway(), ct()
    stored(gateway, one, tmp_path)
    damage(gateway, one, mended=True)
    found_damaged(gateway, one)
    gateway.kill()
    restart(gateway, NOT_KNOWN, tmp_path)  # control: it is the catalogue that knows
    assert kept_when_sent(gateway, one, tmp_path) == 0
    gateway.kill()
    restart(gateway, None, tmp_path)
    assert status(gateway, twin_of(one), tmp_path) == 0xC0D1
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)
    is_rescued(gateway, one, tmp_path)
    restart(gateway, NOT_CHOSEN, tmp_path)  # control: it is the catalogue that says which one is to be read
    assert fetched(gateway, one) == {}


def test_without_a_word_to_the_journal_a_damaged_copy_would_be_believed(
    another_gateway: Make, tmp_path: Path
):
    gateway, one = another_gateway(), ct()
    restart(gateway, NOT_TOLD, tmp_path)
    stored(gateway, one, tmp_path)
    damage(gateway, one)
    found_damaged(gateway, one)
    assert kept_when_sent(gateway, one, tmp_path) == 0
    assert fetched(gateway, one) == {}
    assert incident(gateway, one, "damaged")["state"] == "open"
    gateway.kill()


def test_what_a_power_cut_took_is_rescued(another_gateway: Make, tmp_path: Path):
    gateway, one = another_gateway(segment="4 MiB"), ct(side=512)
    stored(gateway, one, tmp_path)
    lose_to_a_power_cut(gateway, one)
    gateway.start()
    assert incident(gateway, one, "damaged")["state"] == "open"
    assert status(gateway, twin_of(one), tmp_path) == 0xC0D1
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)
    is_rescued(gateway, one, tmp_path)
    gateway.kill()
    gateway.start()
    is_rescued(gateway, one, tmp_path)


def test_what_is_gone_from_the_journal_is_an_incident_and_is_rescued(another_gateway: Make, tmp_path: Path):
    gateway, one = another_gateway(), ct()
    stored(gateway, one, tmp_path)
    assert gateway.stop() == 0
    shutil.rmtree(gateway.data / "journal")
    gateway.start()
    assert "no instance" in found_damaged(gateway, one)["reason"]
    assert status(gateway, twin_of(one), tmp_path) == 0xC0D1
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)
    is_rescued(gateway, one, tmp_path)


def test_damage_that_is_found_by_comparing_is_an_incident_too(another_gateway: Make, tmp_path: Path):
    gateway, one, sound = another_gateway(), ct(), ct()
    for each in (one, sound):
        stored(gateway, each, tmp_path)
    damage(gateway, one, mended=True)
    for each in (one, sound):
        assert status(gateway, twin_of(each), tmp_path) == 0xC0D1
    eventually(lambda: incident(gateway, sound, "quarantine")["difference"], 10, "the comparison")
    assert incident(gateway, one, "damaged")["state"] == "open"
    assert incident(gateway, one, "quarantine")["difference"] is None, "nothing is said of what it is not"
    assert [i["sop_uid"] for i in gateway.kuva("incident", "list", "--kind", "damaged")] == [one.sop_instance]
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)


def test_a_person_may_know_it_as_lost_and_it_is_kept_all_the_same_when_it_comes(
    another_gateway: Make, tmp_path: Path
):
    gateway, one = another_gateway(), ct()
    stored(gateway, one, tmp_path)
    damage(gateway, one, mended=True)
    number = str(found_damaged(gateway, one)["id"])
    with pytest.raises(CommandFailedError, match="may not end in discard; permitted: keep, rescued"):
        gateway.kuva("incident", "resolve", number, "--discard", "--reason", "x", "--by", "test")
    words = ("incident", "resolve", number, "--keep", "--reason", "the sender has it no more", "--by", "test")
    assert gateway.kuva(*words)["resolution"] == "keep"
    assert found_damaged(gateway, one)["resolved_by"] == "test", "found again, it is no new incident"
    assert kept_when_sent(gateway, one, tmp_path) == len(one.data_set)
    eventually(lambda: fetched(gateway, one) == {one.sop_instance: one.data_set}, 10)
    assert incident(gateway, one, "damaged")["resolution"] == "keep"
