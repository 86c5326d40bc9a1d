"""Comparison: what came back against what was sent, byte for byte."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.demo.material import Sample


@dataclass(frozen=True, slots=True)
class Fetched:
    """One instance as a foreign peer received it."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    data_set: bytes


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Something that came back other than it was sent."""

    sop_instance: str
    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name or self.sop_instance}: {self.what}"


class Comparison:
    """Takes instances as they arrive, so that none has to stay in memory."""

    def __init__(self, expected: Iterable[Sample], *, possible: Iterable[Sample] = ()) -> None:
        """`expected` must come back, all of it. `possible` may: it was sent, and nobody knows how it went."""
        self._expected = {sample.sop_instance: sample for sample in expected}
        self._possible = {sample.sop_instance: sample for sample in possible}
        self._seen: set[str] = set()
        self._mismatches: list[Mismatch] = []
        self.instances = 0
        self.length = 0
        """Bytes of the data sets that came back."""

    def take(self, fetched: Fetched) -> None:
        """Compares one instance; safe to call from the foreign peer's thread."""
        sample = self._expected.get(fetched.sop_instance) or self._possible.get(fetched.sop_instance)
        name = sample.name if sample else ""
        if fetched.sop_instance in self._seen:
            self._mismatches.append(Mismatch(fetched.sop_instance, name, "came back more than once"))
        self._seen.add(fetched.sop_instance)
        self.instances += 1
        self.length += len(fetched.data_set)
        what = difference(sample, fetched) if sample else "came back, but was never sent or was refused"
        if what:
            self._mismatches.append(Mismatch(fetched.sop_instance, name, what))

    def mismatches(self) -> tuple[Mismatch, ...]:
        """Everything that differs, and everything that did not come back at all."""
        missing = (s for uid, s in self._expected.items() if uid not in self._seen)
        return (*self._mismatches, *(Mismatch(s.sop_instance, s.name, "did not come back") for s in missing))


def difference(sample: Sample, fetched: Fetched) -> str:
    """How an instance differs from what was sent; "" if it does not."""
    if fetched.sop_class != sample.sop_class:
        return f"SOP class {fetched.sop_class}, sent as {sample.sop_class}"
    if fetched.transfer_syntax != sample.transfer_syntax:
        return f"transfer syntax {fetched.transfer_syntax}, sent as {sample.transfer_syntax}"
    sent = sample.data_set()
    if fetched.data_set == sent:
        return ""
    offset = _first_difference(sent, fetched.data_set)
    return f"{len(fetched.data_set)} bytes, sent {len(sent)}; the first that differs is byte {offset}"


def _first_difference(one: bytes, other: bytes) -> int:
    """The first offset at which two unequal byte strings differ, found by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
