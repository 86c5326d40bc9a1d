"""HTTP at the doors: sockets, headers and answers have their bounds; a stranger makes no noise in the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import structlog
from aiohttp import web

from gateway.listeners import http
from gateway.listeners.http import HttpPort
from gateway.transport.bounded import who_pays

HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def _long(_: web.Request) -> web.Response:
    return web.Response(body=bytes(64 << 20))


async def _defect(_: web.Request) -> web.Response:
    raise KeyError("x")


@pytest.fixture
def limits() -> dict[str, float]:
    """None that a test would meet by chance."""
    return {}


@pytest.fixture(autouse=True)
def _limited(limits: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    wide = {"HEADER_SECONDS_MAX": 99.0, "SOCKET_SECONDS_MAX": 99.0, "SOCKETS_MAX": 99}
    for name, limit in (wide | limits).items():
        monkeypatch.setattr(http, name, limit)


HEADER = pytest.mark.parametrize("limits", [{"HEADER_SECONDS_MAX": 0.3}])
SOCKET = pytest.mark.parametrize("limits", [{"SOCKET_SECONDS_MAX": 0.5}])
THREE = pytest.mark.parametrize("limits", [{"SOCKETS_MAX": 3}])


@pytest.fixture
async def port() -> AsyncIterator[int]:
    application = web.Application()
    routes = {"/hello": _hello, "/long": _long, "/defect": _defect}
    application.add_routes([web.get(path, handler) for path, handler in routes.items()])
    opened = HttpPort(application, "test", shutdown_seconds=0.1)
    yield await opened.open("127.0.0.1", 0)
    await opened.close()


Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[..., Awaitable[Peer]]


@pytest.fixture
async def connect(port: int) -> AsyncIterator[Connect]:
    """Opens sockets to the port, says something at once, and closes them in the end."""
    peers: list[Peer] = []

    async def opened(said: bytes = b"") -> Peer:
        peers.append(await asyncio.open_connection("127.0.0.1", port))
        peers[-1][1].write(said)
        return peers[-1]

    yield opened
    for _, writer in peers:
        writer.close()


async def ended(peer: Peer) -> bytes:
    """All that comes until the gateway closes."""
    async with asyncio.timeout(5):
        try:
            return await peer[0].read()
        except ConnectionResetError:
            return b""


@HEADER
async def test_h4_a_header_that_never_ends_is_closed_however_it_trickles(connect: Connect):
    peer = await connect(b"GET /hello HTTP/1.1\r\n")
    ending = asyncio.ensure_future(ended(peer))
    while not ending.done():
        peer[1].write(b"A: b\r\n")
        await asyncio.sleep(0.05)
    assert await ending == b""


@HEADER
async def test_h4_a_socket_that_says_nothing_is_closed(connect: Connect):
    assert await ended(await connect()) == b""


@HEADER
async def test_h4_a_kept_alive_socket_may_ask_again_and_is_closed_when_idle(connect: Connect):
    peer = await connect(HELLO)
    assert (await peer[0].readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    peer[1].write(HELLO)
    assert (await ended(peer)).count(b"hello") == 1


@SOCKET
async def test_h4_whoever_takes_no_answer_is_cut_in_the_end(connect: Connect):
    with structlog.testing.capture_logs() as lines:
        peer = await connect(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        peer[0]._transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            while not lines:  # noqa: ASYNC110 - the log has no event to wait for
                await asyncio.sleep(0.05)
    assert (lines[0]["event"], lines[0]["door"]) == ("HTTP socket cut", "test")


@THREE
async def test_beyond_its_sockets_the_oldest_goes_and_the_newcomer_is_served(connect: Connect):
    first, *_ = [await connect() for _ in range(3)]
    await asyncio.sleep(0.05)
    newcomer = await connect(HELLO)
    assert b"hello" in await newcomer[0].readuntil(b"hello")
    assert first[0].at_eof() or await ended(first) == b""


async def test_a_flood_of_no_http_is_told_once_a_second_and_a_defect_always(connect: Connect):
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):
            assert (await ended(await connect(b"\x16\x03\x01\r\n\r\n"))).startswith(b"HTTP/1.0 400")
        for _ in range(3):
            assert b" 500 " in await ended(await connect(b"GET /defect HTTP/1.1\r\nHost: a\r\n\r\n"))
    told = [line["log_level"] for line in lines if line["event"] == "HTTP request malformed"]
    assert told
    assert set(told) == {"warning"}
    assert len(told) < 5
    assert [line["log_level"] for line in lines if line["event"] == "HTTP request met a defect"] == [
        "error"
    ] * 3


def test_the_greediest_address_pays_with_its_oldest():
    assert who_pays(["a", "b", "b"], 4) is None
    assert who_pays(["a", "b", "b", "c"], 4) == 1
    assert who_pays(["a"] * 4, 4) == 0
