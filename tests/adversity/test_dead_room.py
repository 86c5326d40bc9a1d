"""Repeats, refusals and broken uploads of long instances, mixed with a few that are kept: their bytes are dead at
once, and do not fill the journal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adversity.peer import WHOLE, HostilePeer
from tests.gateway_process import GatewayProcess
from tests.instances import CT, EXPLICIT, Instance, ct
from tests.raw_peer import p_data

ROUNDS = 140
CONFIG = """
[volumes]
quiet_seconds = "1 h"
age_seconds = "1 h"
"""
"""Nothing leaves the journal as a volume meanwhile."""


@pytest.fixture
def unharmed() -> None:
    """This has a gateway of its own."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    started = GatewayProcess(tmp_path, config=CONFIG, segment="4 MiB").start()
    started.kuva("ae", "add", "RAWPEER", "--vault", "north")
    yield started
    started.stop()


def test_repeats_refusals_and_broken_uploads_do_not_fill_the_journal(gateway: GatewayProcess) -> None:
    long = ct(side=800)
    few: list[Instance] = []
    with HostilePeer(gateway.dicom_port, WHOLE) as peer:
        peer.established((1, CT, [EXPLICIT]))
        assert peer.store(long).status == 0
        for number in range(ROUNDS):
            assert peer.store(long).status == 0, "a repeat"
            assert peer.store(long, long.data_set[:-2]).status == 0xC000, "cut"
            if number % 2 == 0:
                few.append(ct(side=64))
                assert peer.store(few[-1]).status == 0, "kept: there is room"
            with HostilePeer(gateway.dicom_port, WHOLE) as broken:
                broken.established((1, CT, [EXPLICIT]))
                broken.ask_to_store(long)
                piece = p_data(1, long.data_set[:100_000], command=False, last=False)
                broken.send(piece * 4)
    metrics = gateway.get("/metrics")[1]
    sent = 2 * ROUNDS * len(long.data_set)
    assert sent > 256 << 20, "more than the journal holds"
    assert _number(metrics, "kuva_journal_fill") < 0.9
    assert _number(metrics, "kuva_core_journal_copied_instances_total") > 0


def _number(metrics: str, name: str) -> float:
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith(name + " "))
