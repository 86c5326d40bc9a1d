"""A proxy between gateway and PostgreSQL that harms the COMMITs that it is told to."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.catalogue import Address
from tests.postgresql import Server, scratch


class Proxy:
    """Between gateway and PostgreSQL; harms the COMMITs that it is told to."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.harm: list[str] = []
        self.harmed = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ended(self) -> None:
        """Waits until the gateway has closed all its connections."""
        while self._tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours = asyncio.current_task()
        assert ours is not None
        self._tasks.add(ours)
        up_reader, up_writer = await asyncio.open_unix_connection(self._target)
        state = {"deaf": False}
        back = asyncio.ensure_future(self._back(up_reader, writer, state))
        try:
            with contextlib.suppress(ConnectionError):
                await self._forth(reader, up_writer, state)
        finally:
            if state["deaf"]:
                await asyncio.sleep(0.05)  # let the server commit what nobody will hear of
            back.cancel()
            for end in (up_writer, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()
            self._tasks.discard(ours)

    async def _forth(
        self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, state: dict[str, bool]
    ) -> None:
        while data := await reader.read(65536):
            kind = self.harm.pop(0) if b"COMMIT" in data and self.harm else ""
            self.harmed += bool(kind)
            if kind == "cut before":
                return
            state["deaf"] = bool(kind)
            up.write(data)
            await up.drain()
            if kind == "cut after":
                return
            if kind == "freeze":
                await reader.read()  # until the gateway gives up

    async def _back(
        self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, state: dict[str, bool]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await up.read(65536):
                if not state["deaf"]:
                    writer.write(data)
                    await writer.drain()
            writer.close()


@contextlib.asynccontextmanager
async def proxied(server: Server, database: str) -> AsyncIterator[tuple[Proxy, Address]]:
    folder = scratch()
    proxy = Proxy(f"{server.socket_folder}/.s.PGSQL.5432")
    listener = await asyncio.start_unix_server(proxy.serve, Path(folder) / ".s.PGSQL.5432")
    try:
        yield proxy, Address(socket_folder=str(folder), user="kuva_gateway", database=database)
    finally:
        listener.close()
        await asyncio.wait_for(proxy.ended(), 5.0)
        shutil.rmtree(folder)
