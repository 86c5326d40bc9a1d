"""Bounded sockets: a cap in number and time for a protocol of a library, and who pays when it is reached."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast


def who_pays(addresses: Sequence[str], sockets_max: int) -> int | None:
    """Which of the sockets goes to make room, or none: the oldest of the greediest address.

    `addresses` are in order of arrival. Otherwise a few idle hosts would lock out all others.
    """
    if len(addresses) < sockets_max:
        return None
    greediest = Counter(addresses).most_common(1)[0][0]
    return addresses.index(greediest)


class Bounds:
    """Makes protocols of the library's factory, each within its bounds. Every newcomer gets in."""

    def __init__(
        self,
        new: Callable[[], asyncio.Protocol],
        *,
        sockets_max: int,
        seconds_max: float,
        on_cut: Callable[[str], None],
    ) -> None:
        self._new, self._sockets_max, self.seconds_max = new, sockets_max, seconds_max
        self.on_cut = on_cut
        """Called with the address of a socket that was cut, for whatever reason of these bounds."""
        self._open: dict[_Bounded, str] = {}

    def __call__(self) -> "_Bounded":
        """For `create_server`."""
        return _Bounded(self._new(), self)

    def __len__(self) -> int:
        """Sockets open now."""
        return len(self._open)

    def enter(self, newcomer: "_Bounded", address: str) -> None:
        """Takes it in; whoever pays for it is cut."""
        host = address.rpartition(":")[0]
        paying = who_pays(list(self._open.values()), self._sockets_max)
        if paying is not None:
            list(self._open)[paying].cut()
        self._open[newcomer] = host

    def leave(self, one: "_Bounded") -> None:
        """It is gone."""
        self._open.pop(one, None)


class _Bounded(asyncio.Protocol):
    """One socket: everything goes to the library's protocol, until its time is over."""

    def __init__(self, inner: asyncio.Protocol, bounds: Bounds) -> None:
        self._inner, self._bounds = inner, bounds
        self._address = "unknown"
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.data_received, self.eof_received = inner.data_received, inner.eof_received  # type: ignore[method-assign]
        self.pause_writing, self.resume_writing = inner.pause_writing, inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The library serves it from here."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        peer = transport.get_extra_info("peername")
        self._address = f"{peer[0]}:{peer[1]}" if peer else "unknown"
        self._deadline = asyncio.get_running_loop().call_later(self._bounds.seconds_max, self.cut)
        self._bounds.enter(self, self._address)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It counts no more."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._bounds.leave(self)
        self._inner.connection_lost(exc)

    def cut(self) -> None:
        """Drops the socket and what is queued for it; its room is free at once."""
        self._bounds.leave(self)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
            self._bounds.on_cut(self._address)
