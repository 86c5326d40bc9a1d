"""Refusals that need a fault: the fault is real, a real peer meets it, and log and metrics say it by its code."""

import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.wire.dicom.refusals import CATALOGUE, comment_of
from tests.adversity.test_retrieve import ask, fetch, messages
from tests.damage import damage
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct, study_of
from tests.integration.test_incidents import restart
from tests.integration.test_own_postgresql import CONGESTION, config
from tests.own_postgresql import OwnPostgresql, own_postgresql
from tests.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    P_DATA,
    STUDY_ROOT_GET,
    RawPeer,
    c_get_rq,
    c_store_rq,
    p_data,
    us,
)
from tests.unit.listeners.test_refusals import IDENTIFIER

Make = Callable[..., GatewayProcess]
STATUS, COMMENT, COMPLETED, FAILED = 0x00000900, 0x00000902, 0x00001021, 0x00001022
IMPATIENT = """
from gateway.access.retrieve import Retrieval
Retrieval.__init__.__kwdefaults__["seconds_max"] = 1.0
"""
"""The one thing that is changed: nobody waits two minutes for an answer."""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgresql]:
    with own_postgresql("embedded") as running:
        yield running


@pytest.fixture
def configured(server: OwnPostgresql, tmp_path: Path) -> str:
    """The configuration of a node on a database of its own."""
    text = config(server, server.new_database())
    GatewayProcess(tmp_path, config=text).kuva("schema", "migrate")
    return text


def counted(gateway: GatewayProcess, code: str) -> int:
    found = re.search(
        rf'^kuva_refusals_total{{code="{code}"}} (\S+)$', gateway.get("/metrics")[1], re.MULTILINE
    )
    assert found is not None, code
    return int(float(found[1]))


def told(gateway: GatewayProcess, code: str) -> int:
    return [event.get("code") for event in gateway.events()].count(code)


def stored(gateway: GatewayProcess, study: list[Instance]) -> None:
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == ASSOCIATE_AC
        for one in study:
            peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
            for at in range(0, len(one.data_set), 65536):
                piece, last = one.data_set[at : at + 65536], at + 65536 >= len(one.data_set)
                peer.send(p_data(1, piece, command=False, last=last))
            assert us(peer.command(), STATUS) == 0
    eventually(lambda: us(asked(gateway, study), COMPLETED) == len(study), 10, "the study being findable")


def asked(gateway: GatewayProcess, study: list[Instance]) -> dict[int, bytes]:
    with RawPeer(gateway.dicom_port) as peer:
        ask(peer, study)
        return fetch(peer, [0] * len(study))


def ended(peer: RawPeer) -> tuple[int, bytes]:
    """The first PDU that is no P-DATA."""
    while (pdu := peer.pdu()) is not None:
        if pdu[0] != P_DATA:
            return pdu
    raise AssertionError("closed without a word")


def test_congestion_and_retrieve_catalogue_unreachable_while_postgresql_is_away(
    server: OwnPostgresql, configured: str, another_gateway: Make
):
    gateway = another_gateway(configured)
    gateway.kuva("ae", "add", "RAWPEER", "--vault", "one")
    with RawPeer(gateway.dicom_port, timeout=30) as here, RawPeer(gateway.dicom_port, timeout=30) as late:
        assert here.associate([(1, STUDY_ROOT_GET, ["1.2.840.10008.1.2"])])[0] == ASSOCIATE_AC
        server.stop(immediately=True)
        try:
            kind, body = late.associate([(1, CT, [EXPLICIT])])
            assert (kind, body[1:4]) == CONGESTION
            here.send(p_data(1, c_get_rq(1), command=True, last=True))
            here.send(p_data(1, IDENTIFIER, command=False, last=True))
            answer = here.command()
        finally:
            server.start()
    assert us(answer, STATUS) == 0xA701
    unreachable = CATALOGUE["retrieve-catalogue-unreachable"]
    assert answer[COMMENT].decode().strip() == comment_of(unreachable)
    for code in ("congestion", unreachable.code):
        eventually(lambda code=code: told(gateway, code) == 1)
        assert counted(gateway, code) == 1


def test_sub_operation_elsewhere_where_another_node_of_the_same_catalogue_has_it(
    configured: str, another_gateway: Make
):
    holder, asking = another_gateway(configured), another_gateway(configured)
    holder.kuva("ae", "add", "RAWPEER", "--vault", "one")
    study = study_of(2)
    stored(holder, study)
    answer = asked(asking, study)
    assert (us(answer, STATUS), us(answer, FAILED)) == (0xA702, 2)
    elsewhere = CATALOGUE["sub-operation-elsewhere"]
    assert answer[COMMENT].decode().strip() == f"2 failed: {elsewhere.text}"
    assert counted(asking, elsewhere.code) == 2


def test_sub_operation_unreadable_where_the_disk_turned_a_bit_of_a_short_instance(another_gateway: Make):
    gateway, study = another_gateway(), study_of(2)
    stored(gateway, study)
    damage(gateway, study[0])
    with RawPeer(gateway.dicom_port) as peer:
        ask(peer, study)
        answer = fetch(peer, [0])
    assert (us(answer, STATUS), us(answer, COMPLETED), us(answer, FAILED)) == (0xB000, 1, 1)
    unreadable = CATALOGUE["sub-operation-unreadable"]
    assert answer[COMMENT].decode().strip() == f"1 failed: {unreadable.text}"
    assert counted(gateway, unreadable.code) == 1
    gateway.kill()  # a start would say rot, and stop


def test_instance_damaged_where_part_of_a_long_one_is_out_already(another_gateway: Make):
    gateway, one = another_gateway(), ct(side=1600, pixels=random.Random(1).randbytes(2 * 1600 * 1600))
    stored(gateway, [one])
    damage(gateway, one, at=4_000_000)
    with RawPeer(gateway.dicom_port) as peer:
        ask(peer, [one])
        kind, body = ended(peer)
    answer = CATALOGUE["instance-damaged"].answer
    assert (kind, tuple(body[2:4])) == (ABORT, (answer.source, answer.reason))  # type: ignore[union-attr]
    eventually(lambda: told(gateway, "instance-damaged") == 1)
    assert counted(gateway, "instance-damaged") == 1
    assert not [event for event in gateway.events() if event["event"] == "association failed"]
    gateway.kill()  # a start would say rot, and stop


def test_sub_operation_unanswered_by_a_peer_that_takes_it_and_says_nothing(
    another_gateway: Make, tmp_path: Path
):
    gateway, study = another_gateway(), study_of(2)
    restart(gateway, IMPATIENT, tmp_path)
    stored(gateway, study)
    with RawPeer(gateway.dicom_port) as peer:
        ask(peer, study)
        next(messages(peer))
        began = time.monotonic()
        kind, _ = ended(peer)
        assert time.monotonic() - began >= 0.9, "it was waited for"
    assert kind == ABORT
    eventually(lambda: told(gateway, "sub-operation-unanswered") == 1)
    assert counted(gateway, "sub-operation-unanswered") == 1
    assert not [event for event in gateway.events() if event["event"] == "association failed"]
