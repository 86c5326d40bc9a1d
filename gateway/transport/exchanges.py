"""Exchanges: requests of ours on an association whose answers go straight to who asked."""

import asyncio

from gateway._core import CommandReceived
from gateway.errors import AssociationAbortedError


class Exchanges:
    """By command field of the response and message id of the request."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], asyncio.Future[CommandReceived]] = {}

    def begin(self, response_field: int, message_id: int) -> asyncio.Future[CommandReceived]:
        """What the answer will be.

        One that is given up stays known: an answer that comes late is none that nobody asked for.
        """
        answer = self._open[response_field, message_id] = asyncio.get_running_loop().create_future()
        return answer

    def take(self, event: CommandReceived) -> bool:
        """Whether it answers a request of these, which then has it."""
        answer = self._open.pop((event.command_field, event.message_id_responded_to or 0), None)
        if answer is not None and not answer.done():
            answer.set_result(event)
        return answer is not None

    def end(self, why: str) -> None:
        """No answer will come any more."""
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(AssociationAbortedError(why))
        self._open.clear()
