"""Commitments: what came of the requests for storage commitment of one run. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request: as a rule a study. Times are seconds since the start of the load."""

    items: int
    last_answer: float
    """When the last of its instances was answered."""
    asked: float
    answered: float | None
    """When the N-ACTION was."""
    reported: float | None
    """When its N-EVENT-REPORT was there, whole."""
    committed: int

    @property
    def seconds(self) -> float | None:
        """From the last answer to the report."""
        return None if self.reported is None else self.reported - self.last_answer


@dataclass(frozen=True, slots=True)
class Commitments:
    """All of a run."""

    requests: tuple[Request, ...]
    committed: int
    """Instances that reports name as committed."""
    length: int
    """Bytes of their data sets."""
    seconds: float
    """From the start to the last report."""

    @property
    def waits(self) -> list[float]:
        """From last answer to report, of every request that has one; seconds, in order."""
        return sorted(one.seconds for one in self.requests if one.seconds is not None)


def commitments_of(told: Sequence[Mapping[str, Any]]) -> Commitments | None:
    """From the load generator's report; None if nothing was asked for."""
    if not told:
        return None
    names = Request.__slots__
    return Commitments(
        requests=tuple(Request(**{name: one[name] for name in names}) for one in told),
        committed=sum(one["committed"] for one in told),
        length=sum(one["committed_bytes"] for one in told),
        seconds=max((one["reported"] for one in told if one["reported"] is not None), default=0.0),
    )


def problems_of(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Whatever is not a report, in time, that all of it is committed."""
    yield from _refused(told)
    lost = sum(1 for one in told if one["status"] == "0000" and one["reported"] is None)
    if lost:
        yield f"{lost} commitments were never reported"
    for reason, count in sorted(_summed(one["failed"] for one in told).items()):
        yield f"{count} instances failed commitment with {reason}H"
    for name, words in _ODD.items():
        if count := sum(one[name] for one in told):
            yield f"{count} {words}"


_ODD = {
    "unnamed": "instances are in no list of their report",
    "strange": "instances in reports were not asked for, or are there twice",
    "repeats": "commitments were reported more than once",
}


def _refused(told: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    statuses = _summed({one["status"] or "no answer": 1} for one in told)
    for status, count in sorted(statuses.items()):
        if status != "0000":
            yield f"{count} requests for commitment answered {status}"


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total
