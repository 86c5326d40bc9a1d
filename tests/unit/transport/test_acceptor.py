"""The acceptor: who pays when the pool of sockets without an association is full."""

import asyncio
from typing import Any

import pytest

from gateway.transport import acceptor as room
from gateway.transport.acceptor import Acceptor
from gateway.transport.association import Association
from gateway.transport.timers import Timers
from tests.unit.transport.test_association import Engine, Transport


class From(Transport):
    """A socket from somewhere."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self.host = host

    def get_extra_info(self, name: str) -> Any:
        return (self.host, 5) if name == "peername" else super().get_extra_info(name)


async def connect(hosts: list[str]) -> list[From]:
    """Sockets that connect in this order and never ask for anything."""

    async def serve(association: Association) -> None:
        await association.event()

    acceptor = Acceptor(lambda number: Engine(), serve, Timers())  # type: ignore[arg-type, return-value]
    sockets = [From(host) for host in hosts]
    async with asyncio.TaskGroup() as tasks:
        attending = tasks.create_task(asyncio.sleep(0))
        acceptor._tasks = tasks
        made = [acceptor._new() for _ in sockets]
        acceptor._attend = lambda association: asyncio.sleep(0)  # type: ignore[method-assign, assignment]
        for association, transport in zip(made, sockets, strict=True):
            association.connection_made(transport)  # type: ignore[arg-type]
        await attending
    return sockets


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "OPENING_MAX", 6)
    monkeypatch.setattr(room, "OPENING_PER_ADDRESS_MAX", 3)


async def test_a_full_pool_drops_the_oldest_of_the_greediest_address_and_takes_the_newcomer():
    sockets = await connect(["a", "b", "b", "b", "c", "c", "innocent"])
    assert [s.ended for s in sockets] == ["", "cut", "", "", "", "", ""]


async def test_the_sockets_of_one_address_stay_bounded():
    sockets = await connect(["a", "a", "a", "a"])
    assert [s.ended for s in sockets] == ["", "", "", "cut"]


async def test_a_pool_with_room_drops_nobody():
    sockets = await connect(["a", "a", "a", "b", "b", "b"])
    assert not any(s.ended for s in sockets)
