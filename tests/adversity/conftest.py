"""One gateway for all hostile inputs, under a memory limit; and what must hold after each of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.adversity.memory import LIMIT_BYTES, MemoryLimit
from tests.adversity.peer import FEEDS, Feed, HostilePeer
from tests.gateway_process import GatewayProcess, eventually
from tests.raw_peer import ASSOCIATE_AC, VERIFICATION, RawPeer, c_echo_rq, p_data, us

CONFIG = """
[dicom]
artim_seconds = "1 s"
idle_seconds = "3 s"
progress_floor_bytes_per_second = 1024
progress_window_seconds = "2 s"
"""
COUNTED = ("instances_kept", "instances_quarantined")
ECHO = [(1, VERIFICATION, ["1.2.840.10008.1.2"])]


@pytest.fixture(scope="session")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A configured gateway with short timers, limited to 512 MiB."""
    folder = tmp_path_factory.mktemp("victim")
    with MemoryLimit(LIMIT_BYTES) as limit:
        gateway = GatewayProcess(folder, config=CONFIG, within=limit.command).start()
        gateway.kuva("ae", "add", "RAWPEER", "--vault", "north")
        gateway.kuva("ae", "add", "TESTSCU", "--vault", "north")
        yield gateway
        peak = gateway.rss_peak()
        gateway.stop()
        assert not limit.kills(), "the kernel killed something for want of memory"
        assert peak < LIMIT_BYTES


@dataclass
class Left:
    """What a test may leave behind; by default nothing."""

    kept: int = 0
    quarantined: int = 0
    defects: list[str] = field(default_factory=list)


@pytest.fixture
def left() -> Left:
    return Left()


@pytest.fixture(autouse=True)
def unharmed(victim: GatewayProcess, left: Left) -> Iterator[None]:
    """The common expectation of every row."""
    before, live = _counts(victim), _live(victim)
    at = victim.log.stat().st_size
    yield
    assert victim.running()
    _good_peer(victim)
    expected = {"instances_kept": left.kept, "instances_quarantined": left.quarantined}
    assert {name: _counts(victim)[name] - before[name] for name in COUNTED} == expected
    if not (left.kept or left.quarantined):
        eventually(lambda: _live(victim) == live, 5, "the journal's room coming back")
    said = victim.log.read_bytes()[at:].decode()
    assert "Traceback" not in said
    assert "met a defect" not in said


@pytest.fixture(params=FEEDS, ids=lambda feed: feed.name)
def feed(request: pytest.FixtureRequest) -> Feed:
    """How the input is cut into writes."""
    return request.param


@pytest.fixture
def hostile(victim: GatewayProcess, feed: Feed) -> Iterator[HostilePeer]:
    """A socket to the victim that sends as `feed` says."""
    with HostilePeer(victim.dicom_port, feed) as peer:
        yield peer


def _good_peer(gateway: GatewayProcess) -> None:
    with RawPeer(gateway.dicom_port, timeout=2) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        peer.send(p_data(1, c_echo_rq(1), command=True, last=True))
        assert us(peer.command(), 0x00000900) == 0


def _metrics(gateway: GatewayProcess) -> str:
    status, text = gateway.get("/metrics")
    assert status == 200
    return text


def _counts(gateway: GatewayProcess) -> dict[str, int]:
    text = _metrics(gateway)
    return {name: _number(text, f"kuva_core_{name}_total") for name in COUNTED}


def _live(gateway: GatewayProcess) -> int:
    return _number(_metrics(gateway), "kuva_journal_live_bytes")


def _number(text: str, name: str) -> int:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"no metric {name}"
    return int(float(found[1]))
