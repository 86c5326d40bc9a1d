"""A node of the core without sockets: instances are stored on it by two engines that face each other."""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gateway import _core
from tests.instances import CT, EXPLICIT, Instance

VAULT, LOCATOR_KEY = bytes(range(16)), bytes(16)
NODE = b"node of the test"
SUCCESS = 0
SECONDS_MAX = 20.0
_numbers = itertools.count(1)


@contextmanager
def running_node(folder: Path, epoch: int = 1, node: bytes = NODE) -> Iterator[_core.Node]:
    folder.mkdir(parents=True, exist_ok=True)
    made = _core.Node(
        str(folder), node=node, epoch=epoch, capacity=64 << 20, segment=4 << 20, block_pool=8 << 20,
        locator_key=LOCATOR_KEY,
    )  # fmt: skip
    try:
        yield made
    finally:
        made.stop()


class Sender:
    """An association on which instances are stored, one after the other."""

    def __init__(self, node: _core.Node, volumes: Sequence[bytes] = ()) -> None:
        self._node, self._volumes = node, volumes
        self._acceptor = _core.Association.acceptor(node, next(_numbers))
        context = _core.ProposedContextSpec(1, CT, [EXPLICIT])
        requestor, request = _core.Association.requestor(called="KUVA", calling="TEST", contexts=[context])
        self._requestor, self._messages = requestor, itertools.count(1)
        give(self._acceptor, request)
        admission = _core.Admission(
            vault=VAULT, calling="TEST", called="KUVA", address="127.0.0.1:104", preset="strict", rules=[]
        )
        answered = _core.AnsweredContext(1, 0, EXPLICIT)
        give(requestor, self._acceptor.accept([answered], [], None, [], False, admission))

    def store(self, instance: Instance, folder: Path) -> int:
        """The status that it is answered with."""
        source = _core.InstanceSource.from_file(str(instance.write(folder)))
        transfer = self._requestor.store(1, next(self._messages), source)
        while (piece := transfer.next()) is not None:
            give(self._acceptor, piece)
        return self._status()

    def _status(self) -> int:
        deadline = time.monotonic() + SECONDS_MAX
        while time.monotonic() < deadline:
            wake = self._node.drain()
            for opening in wake.opening:
                self._node.study_opened(
                    opening.vault, opening.study, [], [], [], [], [], volumes=self._volumes
                )
            for _, answer in wake.output:
                for event in give(self._requestor, answer):
                    if isinstance(event, _core.CommandReceived):
                        assert event.status is not None
                        return event.status
            if wake.resume:
                self._acceptor.resume()
            time.sleep(0.001)
        raise TimeoutError("no answer to a C-STORE")


def give(association: _core.Association, data: bytes) -> list[object]:
    """Lets an association receive these bytes; what it heard."""
    heard: list[object] = []
    rest = memoryview(data)
    while rest:
        lent = memoryview(association)
        length = min(len(rest), len(lent))
        lent[:length] = rest[:length]
        lent.release()
        heard.extend(association.buffer_updated(length) or [])
        rest = rest[length:]
    return heard


def positions(node: _core.Node) -> list[tuple[int, int]]:
    """Epoch and position of all that the journal holds, oldest first."""
    return [(epoch, position) for epoch, position, *_ in reversed(node.journal_entries(100_000))]
