"""Sources: where an instance's bytes are read from: a verified volume, else this node's journal."""

from gateway import _core
from gateway.access.find import Match
from gateway.journal import Journal
from gateway.storage.object_store import ObjectStore


class Sources:
    """Opens what was found. Nothing that a source gives out is unchecked: the core has its digest."""

    def __init__(self, journal: Journal, store: ObjectStore) -> None:
        self._journal, self._store = journal, store

    def has(self, match: Match) -> bool:
        """Whether it can be read from here: volumes can be from every node."""
        return match.place is not None or self._journal.holds(match.receive_id)

    def open(self, match: Match) -> _core.InstanceSource:
        """Quick, but reads the disk: for a thread. Raises `InstanceAbsentError`: forgotten, or never here."""
        if (place := match.place) is None:
            return self._journal.source(match.receive_id.epoch, match.receive_id.position)
        return _core.InstanceSource.from_volume(
            sop_class=match.sop_class, sop_instance=match.sop_instance, transfer_syntax=match.transfer_syntax,
            offset=place.offset, length=match.length, digest=place.digest, ranges_offset=place.ranges_offset,
            read=self._store.reader(place.key),
        )  # fmt: skip
