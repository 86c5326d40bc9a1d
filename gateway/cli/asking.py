"""Asking the running gateway: HTTP on the Unix socket in its data folder."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from gateway.cli.speaking import Exit, fail
from gateway.listeners import SOCKET_NAME

ANSWER_SECONDS_MAX = 120.0
PIECE_LENGTH = 1 << 20


def ask(
    data: Path,
    path: str,
    *,
    query: Mapping[str, str | int | None] | None = None,
    body: Mapping[str, object] | None = None,
) -> Any:  # noqa: ANN401 - whatever JSON the gateway answers
    """The gateway's answer; ends the command, in plain words, where there is none or it says no."""
    return asyncio.run(_ask(data / SOCKET_NAME, path, query or {}, body))


def fetch(data: Path, path: str, take: Callable[[bytes], None]) -> None:
    """Bytes that the gateway streams, piece by piece; ends the command where there are none."""

    async def taken(response: aiohttp.ClientResponse) -> bytes:
        if response.status == 200:
            async for piece in response.content.iter_chunked(PIECE_LENGTH):
                take(piece)
            return b"null"
        return await response.read()

    asyncio.run(_ask(data / SOCKET_NAME, path, {}, None, taken))


async def _ask(
    place: Path,
    path: str,
    query: Mapping[str, str | int | None],
    body: Mapping[str, object] | None,
    read: Callable[[aiohttp.ClientResponse], Awaitable[bytes]] = aiohttp.ClientResponse.read,
) -> object:
    asked = {name: str(value) for name, value in query.items() if value is not None}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    try:
        async with aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(place)), timeout=timeout
        ) as session:
            method, data = ("GET", None) if body is None else ("POST", orjson.dumps(body))
            async with session.request(method, f"http://gateway{path}", params=asked, data=data) as response:
                answer = await read(response)
    except TimeoutError:
        fail(f"the gateway did not answer within {ANSWER_SECONDS_MAX:g} s")
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
            fail(f"{place}: {error.strerror}. The gateway answers the owner of its data folder only.")
        fail(
            f"no gateway runs on the data folder {place.parent}. "
            "Start one with 'kuva serve', or say which folder with --data.",
            Exit.NOT_RUNNING,
        )
    if response.status != 200:
        fail(_words(answer, response.status), Exit.USAGE if response.status == 400 else Exit.FAILED)
    return orjson.loads(answer)


def _words(answer: bytes, status: int) -> str:
    try:
        return str(orjson.loads(answer)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"the gateway answered HTTP {status}; its log says more"
