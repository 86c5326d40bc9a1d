"""A gateway that may open no more files: it says so, does not spin, loses nobody, and goes on by itself."""

import contextlib
import http.client
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, study_of
from tests.raw_peer import (
    ASSOCIATE_AC,
    VERIFICATION,
    RawPeer,
    c_echo_rq,
    c_store_rq,
    connected,
    p_data,
    us,
)

STATUS = 0x00000900
ECHO = [(1, VERIFICATION, [IMPLICIT])]


@pytest.fixture
def unharmed() -> None:
    """These have gateways of their own."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """One of whose journal little is made yet."""
    started = GatewayProcess(tmp_path).start()
    yield started
    started.stop()


@contextlib.contextmanager
def no_more_files(gateway: GatewayProcess) -> Iterator[None]:
    """The gateway may open nothing while this lasts."""
    before = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
    lowest = min(set(range(4096)) - {int(number) for number in os.listdir(f"/proc/{gateway.pid}/fd")})
    resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, before)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answered(peer: RawPeer) -> bool:
    peer.send(p_data(1, c_echo_rq(1), command=True, last=True))
    return us(peer.command(), STATUS) == 0


def test_without_descriptors_no_socket_is_accepted_nothing_spins_and_who_is_there_is_served(
    gateway: GatewayProcess,
):
    with RawPeer(gateway.dicom_port) as here:
        assert here.associate(ECHO)[0] == ASSOCIATE_AC
        with no_more_files(gateway), contextlib.ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(connected(gateway.dicom_port, 10))
                stack.enter_context(connected(gateway.http_port, 10))
            began, used = time.monotonic(), cpu_seconds(gateway.pid)
            while time.monotonic() < began + 3:
                assert answered(here)
                time.sleep(0.2)
            share = (cpu_seconds(gateway.pid) - used) / (time.monotonic() - began)
        assert share < 0.5, "a loop that accepts in vain takes a whole core"
        assert answered(here)

    def served() -> bool:
        with contextlib.suppress(AssertionError, OSError), RawPeer(gateway.dicom_port, timeout=2) as peer:
            return peer.associate(ECHO)[0] == ASSOCIATE_AC and gateway.get("/health")[0] == 200
        return False

    eventually(served, 15, "sockets being accepted again")


def test_a_segment_that_cannot_be_opened_is_told_as_that_and_the_node_goes_on_by_itself(
    gateway: GatewayProcess,
):
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == ASSOCIATE_AC

        def stored(many: int) -> Iterator[int | None]:
            for one in study_of(many, side=512):
                peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
                for at in range(0, len(one.data_set), 65536):
                    piece = one.data_set[at : at + 65536]
                    last = at + 65536 >= len(one.data_set)
                    peer.send(p_data(1, piece, command=False, last=last))
                yield us(peer.command(), STATUS)

        watcher = http.client.HTTPConnection("127.0.0.1", gateway.http_port, timeout=10)
        with contextlib.closing(watcher):
            assert list(stored(1)) == [0]
            watcher.request("GET", "/ready")
            assert watcher.getresponse().read()
            with no_more_files(gateway):
                refused = next(status for status in stored(120) if status != 0)
                watcher.request("GET", "/ready")
                why_not = orjson.loads(watcher.getresponse().read())["why_not"]
        assert refused == 0xA700
        assert "the journal is out of file descriptors" in why_not
        codes = {event["code"] for event in gateway.events() if "code" in event}
        assert "file-descriptors" in codes
        assert "journal-full" not in codes
        eventually(lambda: list(stored(1)) == [0], 15, "instances being taken again")
    assert gateway.get("/ready")[0] == 200
