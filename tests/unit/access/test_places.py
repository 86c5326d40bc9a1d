"""Places: an instance is sent from wherever it is, and a damaged, lost or moved copy is no reason not to.

A real node, a real store in memory and the core's engine; only the catalogue is told by hand.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from gateway import _core
from gateway.access.find import Finder, Match
from gateway.access.retrieve import Retrieval
from gateway.access.sources import Sources
from gateway.catalogue import Choices
from gateway.errors import CatalogueUnavailableError, StoreUnavailableError
from gateway.journal import Journal
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.study import StudyBlock
from gateway.storage.memory import MemoryStore
from gateway.wire.dicom.identifier import Level, RetrieveIdentifier
from tests.instances import Instance, ct, study_of
from tests.node import NODE, SUCCESS, VAULT, Sender, positions, running_node
from tests.unit.core.test_volume import VOLUME, assemble, pieces, unwrapped

KEY = f"volumes/x/{VOLUME}.tar"
HERE = NodeId(UUID(bytes=NODE))


@dataclass
class Kept:
    """A study in the journal, and in a volume in the store."""

    node: _core.Node
    journal: Journal
    store: MemoryStore
    instances: list[Instance]
    tar: bytes
    blocks: list[StudyBlock] = field(default_factory=list)
    """What the catalogue says: the batch, and the volume."""
    asked: int = 0

    @property
    def batch(self) -> StudyBlock:
        return self.blocks[0]

    @property
    def volume(self) -> StudyBlock:
        return self.blocks[1]

    def says(self, *blocks: StudyBlock, damaged: Sequence[Any] = ()) -> Finder:
        """A finder whose catalogue says this."""

        async def get(*_: object) -> tuple[None, tuple[StudyBlock, ...]]:
            self.asked += 1
            return None, blocks

        async def choices(*_: object) -> Choices:
            return Choices({}, frozenset(damaged))

        catalogue = SimpleNamespace(
            studies=SimpleNamespace(get=get), incidents=SimpleNamespace(choices=choices)
        )
        return Finder(catalogue, HERE)  # type: ignore[arg-type]

    def forget(self) -> None:
        """As after a volume was verified."""
        flush = self.node.take_flush()
        assert flush is not None
        self.node.landed(flush.epoch, flush.through)
        self.node.forget(VAULT, self.instances[0].study, positions(self.node))

    def put(self, tar: bytes) -> None:
        """Another file under the volume's key: what a store must never do."""
        self.store._objects[KEY] = (tar, self.store._objects[KEY][1])


async def whole(tar: bytes) -> AsyncIterator[bytes]:
    yield tar


def block_of(block: bytes, **other: Any) -> StudyBlock:
    known = _core.decode_block(block)
    told: dict[str, Any] = {
        "node": HERE, "epoch": 1, "first_position": 0, "last_position": 0, "instances": len(known),
        "length": 0, "landed_at": None, "block": block,
    }  # fmt: skip
    return StudyBlock(**(told | other))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    instances = study_of(3)
    instances.append(ct(study=instances[0].study, series=instances[0].series, side=800))
    with running_node(tmp_path / "journal") as node:
        sender = Sender(node)
        assert [sender.store(instance, tmp_path) for instance in instances] == [SUCCESS] * 4
        assembly = assemble(node, instances[0].study, positions(node))
        tar = b"".join(pieces(assembly))
        store = MemoryStore()
        asyncio.run(store.put(KEY, len(tar), whole(tar)))
        flush = node.take_flush()
        assert flush is not None
        made = Kept(node, Journal(node, HERE, 1), store, instances, tar)
        block = assembly.finish().block
        made.blocks = [
            block_of(flush.batches[0].block),
            block_of(block, kind="volume", volume=VolumeId(VOLUME), key=KEY),
        ]
        yield made


class Peer:
    """Takes everything that it is sent, and answers 0000H."""

    def __init__(self) -> None:
        self.engine = self
        self.sent: list[bytes] = []
        self.aborted = False

    def context_for(self, *_: object) -> int:
        return 1

    def store(self, context_id: int, message_id: int, source: _core.InstanceSource) -> _core.StoreTransfer:
        context = _core.ProposedContextSpec(1, source.sop_class, [source.transfer_syntax])
        engine, _ = _core.Association.requestor(called="A", calling="B", contexts=[context])
        return engine.store(context_id, message_id, source)

    def message(self) -> "Peer":
        return self

    def __enter__(self) -> None:
        self._pdus = b""

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self.sent.append(unwrapped(self._pdus))

    def abort(self, _: object) -> None:
        self.aborted = True

    async def send(self, piece: bytes) -> None:
        self._pdus += piece

    async def response(self, *_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(status=0)


@dataclass
class Outcome:
    sent: list[bytes]
    reasons: dict[str, int]
    damaged: list[tuple[Match, str]]


ALL = RetrieveIdentifier(Level.STUDY, (StudyUid("1.2"),))


async def fetched(
    kept: Kept, found: Finder, later: Finder | None = None, *, peer: Peer | None = None
) -> Outcome:
    """What comes of a C-GET of the study; `later` is what the catalogue says when it is asked again."""
    matches = await found.matches(ALL, [VaultId(UUID(bytes=VAULT))])
    peer, damaged = peer or Peer(), list[tuple[Match, str]]()
    retrieval = Retrieval(
        peer,  # type: ignore[arg-type]
        Sources(kept.journal, kept.store),
        later or found,
        matches,
        on_damaged=lambda match, why: damaged.append((match, why)),
    )
    async for _ in retrieval.run():
        pass
    return Outcome(peer.sent, dict(retrieval.counts.reasons), damaged)


def received(kept: Kept) -> list[bytes]:
    return sorted(instance.data_set for instance in kept.instances)


async def test_out_of_a_volume_comes_what_was_received(kept: Kept) -> None:
    kept.forget()
    outcome = await fetched(kept, kept.says(kept.volume))
    assert sorted(outcome.sent) == received(kept)
    assert (outcome.reasons, outcome.damaged) == ({}, [])


async def test_what_moved_into_a_volume_after_it_was_looked_up_is_looked_up_again(kept: Kept) -> None:
    kept.forget()
    outcome = await fetched(kept, kept.says(kept.batch), later=kept.says(kept.volume))
    assert sorted(outcome.sent) == received(kept)
    assert (outcome.reasons, outcome.damaged) == ({}, []), "a move is no damage"


async def test_what_is_gone_from_where_the_catalogue_has_it_is_damage(kept: Kept) -> None:
    kept.forget()
    outcome = await fetched(kept, kept.says(kept.batch))
    assert outcome.reasons == {"sub-operation-unreadable": 4}
    assert [match.place for match, _ in outcome.damaged] == [None] * 4
    await kept.store.remove(KEY)
    outcome = await fetched(kept, kept.says(kept.volume))
    assert outcome.reasons == {"sub-operation-unreadable": 4}
    assert {match.place.volume for match, _ in outcome.damaged if match.place} == {VOLUME}


async def test_while_the_catalogue_cannot_be_asked_again_nothing_is_called_damage(kept: Kept) -> None:
    kept.forget()
    found = kept.says(kept.batch)

    async def away(_: Match) -> tuple[Match, ...]:
        raise CatalogueUnavailableError("away")

    outcome = await fetched(kept, found, later=SimpleNamespace(again=away))  # type: ignore[arg-type]
    assert (outcome.reasons, outcome.damaged) == ({"sub-operation-unreadable": 4}, [])


@pytest.mark.parametrize("which", [0, -1], ids=["small", "of several ranges"])
async def test_damage_in_a_volume_is_told_and_a_sound_copy_is_used_if_there_is_one(
    kept: Kept, which: int
) -> None:
    known = sorted(_core.decode_block(kept.volume.block), key=lambda one: one.length)[which]
    assert known.offset is not None
    damaged = bytearray(kept.tar)
    damaged[known.offset + 10] ^= 1
    kept.put(bytes(damaged))
    alone = await fetched(kept, kept.says(kept.volume))
    assert alone.reasons == {"sub-operation-unreadable": 1}
    assert len(alone.sent) == 3
    ((match, why),) = alone.damaged
    assert match.sop_instance == known.sop_instance
    assert match.place is not None
    assert "digest" in why
    # Another volume has the same.
    await kept.store.put("other", len(kept.tar), whole(kept.tar))
    other = replace(kept.volume, volume=VolumeId("7" + VOLUME[1:]), key="other")
    both = await fetched(kept, kept.says(kept.volume, other))
    assert sorted(both.sent) == received(kept)
    assert both.reasons == {}
    assert [match.sop_instance for match, _ in both.damaged] == [known.sop_instance]


async def test_a_damaged_copy_in_the_journal_gives_way_to_the_volume(kept: Kept, tmp_path: Path) -> None:
    for segment in (tmp_path / "journal").glob("*.segment"):
        data = segment.read_bytes()
        if (at := data.find(kept.instances[1].data_set)) >= 0:
            with segment.open("r+b") as file:
                file.seek(at + 50)
                file.write(bytes([data[at + 50] ^ 1]))
    alone = await fetched(kept, kept.says(kept.batch))
    assert alone.reasons == {"sub-operation-unreadable": 1}
    both = await fetched(kept, kept.says(kept.volume, kept.batch))
    assert sorted(both.sent) == received(kept)
    assert both.reasons == {}
    ((match, _),) = both.damaged
    assert (match.sop_instance, match.place) == (kept.instances[1].sop_instance, None)


async def test_where_damage_shows_when_part_of_it_is_out_the_association_is_aborted(kept: Kept) -> None:
    known = max(_core.decode_block(kept.volume.block), key=lambda one: one.length)
    assert known.offset is not None
    damaged = bytearray(kept.tar)
    damaged[known.offset + known.length - 10] ^= 1  # in its second range
    kept.put(bytes(damaged))
    peer = Peer()
    outcome = await fetched(kept, kept.says(kept.volume), peer=peer)
    assert peer.aborted
    assert outcome.reasons == {"sub-operation-unreadable": 1}
    assert [match.sop_instance for match, _ in outcome.damaged] == [known.sop_instance]
    assert all(data in received(kept) for data in outcome.sent), "nothing left that looked whole"


async def test_a_store_that_is_away_is_no_damage(kept: Kept) -> None:
    kept.forget()

    def away(_: str) -> Any:
        def read(*_: int) -> bytes:
            raise StoreUnavailableError("away")

        return read

    kept.store.reader = away  # type: ignore[method-assign]
    outcome = await fetched(kept, kept.says(kept.volume))
    assert (outcome.sent, outcome.damaged) == ([], [])
    assert outcome.reasons == {"sub-operation-unreadable": 4}


async def test_the_best_place_is_this_journal_then_a_volume_and_what_is_damaged_comes_last(
    kept: Kept,
) -> None:
    vaults = [VaultId(UUID(bytes=VAULT))]

    async def places(finder: Finder) -> list[str]:
        match = (await finder.matches(ALL, vaults))[0]
        return ["journal" if one.place is None else one.place.key for one in (match, *match.others)]

    both = (kept.volume, kept.batch)
    assert await places(kept.says(*both)) == ["journal", KEY]
    unsound = replace(kept.volume, damaged=True)
    other = replace(kept.volume, volume=VolumeId("7" + VOLUME[1:]), key="other")
    assert await places(kept.says(unsound, other)) == ["other", KEY]
    elsewhere = Finder(kept.says(*both)._catalogue, NodeId(UUID(int=9)))
    assert await places(elsewhere) == [KEY, "journal"], "another node's journal cannot be read"
    ids = [match.receive_id for match in await kept.says(*both).matches(ALL, vaults)]
    assert await places(kept.says(*both, damaged=ids)) == ["journal", KEY]


async def test_looked_up_again_it_is_the_same_instance_in_the_same_form(kept: Kept) -> None:
    finder = kept.says(kept.volume, kept.batch)
    match = (await finder.matches(ALL, [VaultId(UUID(bytes=VAULT))]))[2]
    again = await finder.again(match)
    assert {one.sop_instance for one in again} == {match.sop_instance}
    assert [one.place is None for one in again] == [True, False]
    assert await finder.again(replace(match, transfer_syntax=Uid("1.2"))) == ()
    assert await finder.again(replace(match, sop_instance=SopInstanceUid("1.2"))) == ()
