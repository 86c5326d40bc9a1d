"""H rows: what comes in by the health port and the operator's socket."""

import contextlib
import http.client
import socket
from urllib.parse import quote

import pytest

from gateway.listeners import SOCKET_NAME
from gateway.listeners.http import SOCKETS_MAX
from tests.gateway_process import GatewayProcess, eventually
from tests.raw_peer import connected

NASTY = {
    "nul": "%00", "nul-within": "1.2%00.3", "surrogate": "%ED%A0%80", "no-utf-8": "%FF%FE", "over-long": "1" * 7000,
    "astral": quote("\N{PILE OF POO}" * 50), "right-to-left": quote("\u202e1.2.3"), "other-digits": quote("\u0663"),
    "sql": quote("1' OR '1'='1"), "path": "..%2F..%2Fetc%2Fpasswd", "newline": "1.2%0D%0AX-A:%20b", "blank": "%20",
    "empty-part": "1..2", "number-too-long": "9" * 400,
}  # fmt: skip
PLACES = [
    "/studies/{}", "/studies?patient_id={}", "/studies?patient_name={}", "/studies?accession_number={}",
    "/studies?date_from={}", "/studies?date_to={}", "/studies?limit={}", "/studies?after={}", "/journal?limit={}",
    "/incidents?state={}", "/incidents?kind={}", "/incidents?study={}", "/incidents?limit={}", "/incidents/{}",
    "/ae?ended={}", "/{}", "/status?x={}",
]  # fmt: skip


class _OverUnixSocket(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("operator", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


def status_of(connection: http.client.HTTPConnection, path: str) -> int:
    """What is answered to a path that goes out as it is."""
    with contextlib.closing(connection):
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        return response.status


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_h1_the_operators_socket_answers_nonsense_by_a_4xx_never_by_a_500(victim: GatewayProcess, nasty: str):
    for place in PLACES:
        status = status_of(_OverUnixSocket(str(victim.data / SOCKET_NAME)), place.format(nasty))
        assert status == 200 or 400 <= status < 500, place
    uid = status_of(_OverUnixSocket(str(victim.data / SOCKET_NAME)), f"/studies/{nasty}")
    assert uid in (400, 404), "a UID or a path that is none"


@pytest.mark.parametrize("nasty", NASTY.values(), ids=NASTY)
def test_h1_the_health_port_answers_nonsense_by_a_4xx_never_by_a_500(victim: GatewayProcess, nasty: str):
    for place in ("/{}", "/health/{}", "/metrics?name={}", "/ready?{}"):
        status = status_of(
            http.client.HTTPConnection("127.0.0.1", victim.http_port, timeout=10), place.format(nasty)
        )
        assert status == 200 or 400 <= status < 500, place


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\0\x01\0",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
    ],
    ids=["tls", "no-path", "no-version", "nul-in-a-header"],
)
def test_h2_a_flood_of_what_is_no_http_makes_a_few_warnings_and_no_error(
    victim: GatewayProcess, garbage: bytes
):
    at = len(victim.events())
    for _ in range(50):
        with connected(victim.http_port, 10) as peer:
            peer.sendall(garbage)
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(4096):
                    pass
    said = victim.events()[at:]
    assert not [event for event in said if event["level"] in ("error", "critical")]
    assert len([event for event in said if "HTTP" in event["event"]]) < 25


def test_h3_more_sockets_than_may_be_cost_the_greediest_address_and_a_watcher_still_gets_in(
    victim: GatewayProcess,
):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connected(victim.http_port, 10)) for _ in range(SOCKETS_MAX + 20)]
        assert victim.get("/health")[0] == 200
        assert idle[0].recv(1) == b"", "the oldest pays"
        told = [event for event in victim.events() if event["event"] == "HTTP socket cut"]
        assert told
        assert told[-1]["door"] == "health"
    eventually(lambda: victim.get("/ready")[0] == 200, 5)
