"""Planning: nobody waits longer than the settings say, and no volume is made sooner than it need be."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.planning import (
    INSTANCES_MAX,
    SETTLE_SECONDS,
    Asked,
    Reason,
    Waiting,
    WaitingBatch,
    due,
    share,
)
from gateway.model.volume import BatchKey
from gateway.settings import VolumesSettings

LIMITS = VolumesSettings()
MIB = 1 << 20

moments = st.floats(min_value=0, max_value=10_000, allow_nan=False)


@st.composite
def studies(draw: st.DrawFn) -> Waiting:
    oldest, newest = sorted((draw(moments), draw(moments)))
    asked = None
    if draw(st.booleans()):
        first, last = sorted((draw(moments), draw(moments)))
        asked = Asked(first, last, draw(st.integers(1, 100)), draw(st.booleans()))
    length = draw(st.integers(1, 300 * MIB))
    return Waiting(draw(st.integers(1, 5_000)), length, oldest, newest, asked)


@given(studies())
def test_no_study_waits_longer_than_each_reason_allows(study: Waiting):
    at = due(study, LIMITS).at
    assert at <= study.newest_at + LIMITS.quiet_seconds
    assert at <= study.oldest_at + LIMITS.age_seconds
    if study.asked is not None:
        assert (
            at <= study.asked.first_at + LIMITS.gather_seconds_max
            or at <= study.oldest_at + LIMITS.age_seconds
        )
    if study.length >= LIMITS.size_target:
        assert at <= study.newest_at


@given(studies())
def test_what_is_due_is_due_for_the_reason_that_is_told(study: Waiting):
    found = due(study, LIMITS)
    match found.reason:
        case Reason.COMMITMENT:
            assert study.asked is not None
            assert study.asked.first_at <= found.at <= study.asked.first_at + LIMITS.gather_seconds_max
        case Reason.SIZE:
            assert study.length >= LIMITS.size_target
        case Reason.QUIET:
            assert found.at == study.newest_at + LIMITS.quiet_seconds
        case Reason.AGE:
            assert found.at == study.oldest_at + LIMITS.age_seconds
        case Reason.ROOM:
            raise AssertionError("no reason of the study's own")


@given(studies(), st.floats(0, 100))
def test_what_arrives_later_never_makes_it_due_sooner_unless_it_makes_a_volume(study: Waiting, later: float):
    more = Waiting(study.instances, study.length, study.oldest_at, study.newest_at + later, study.asked)
    assert due(more, LIMITS).at >= due(study, LIMITS).at


@given(studies())
def test_asking_never_makes_it_due_later(study: Waiting):
    alone = Waiting(study.instances, study.length, study.oldest_at, study.newest_at)
    assert due(study, LIMITS).at <= due(alone, LIMITS).at


def test_image_by_image_requests_are_gathered_into_one_volume():
    """An image each second, and a request for each: one volume, three seconds after the last."""
    asked = None
    for second in range(10):
        asked = Asked(asked.first_at if asked else second + 0.1, second + 0.1, 1)
        found = due(Waiting(second + 1, 100_000, 0.0, second, asked), LIMITS)
        assert found.at > second + 1
    assert (found.at, found.reason) == (9.1 + LIMITS.gather_seconds, Reason.COMMITMENT)


def test_a_request_among_endless_arrivals_is_gathered_thirty_seconds_at_most():
    found = due(Waiting(500, MIB, 0.0, 99.0, Asked(70.0, 99.0, 1)), LIMITS)
    assert (found.at, found.reason) == (70.0 + LIMITS.gather_seconds_max, Reason.COMMITMENT)


def test_a_request_for_a_study_that_does_not_arrive_any_more_waits_for_nothing():
    assert due(Waiting(2, 100_000, 0.0, 1.0, Asked(10.0, 10.0, 2)), LIMITS).at == 10.0


def test_a_request_worth_a_volume_waits_only_for_what_is_landing():
    for many in (
        Waiting(2_000, 2_000, 0.0, 5.0, Asked(5.0, 5.0, 2_000)), Waiting(1, 16 * MIB, 0.0, 5.0, Asked(5.0, 5.0, 1)),
    ):  # fmt: skip
        assert due(many, LIMITS).at == 5.0 + SETTLE_SECONDS
    arriving = Waiting(2_000, 2_000, 0.0, 50.0, Asked(5.0, 5.0, 2_000))
    assert due(arriving, LIMITS).at == 5.0 + LIMITS.gather_seconds


def test_a_request_worth_a_volume_of_which_all_is_there_waits_for_nothing():
    complete = Asked(5.01, 5.01, 2_000, complete=True)
    assert due(Waiting(2_000, 2_000, 0.0, 5.0, complete), LIMITS).at == 5.01
    arriving = Waiting(2_001, 2_000, 0.0, 50.0, complete)
    assert due(arriving, LIMITS).at == 5.01


# --- shares -------------------------------------------------------------------------------------


@st.composite
def batches(draw: st.DrawFn) -> list[WaitingBatch]:
    made, position = [], 1
    for _ in range(draw(st.integers(1, 12))):
        instances = draw(st.integers(1, 5))
        last = position + instances - 1 + draw(st.integers(0, 3))
        made.append(WaitingBatch(BatchKey(1, position), last, instances, draw(st.integers(1, 50))))
        position = last + 1
    return made


@given(batches(), st.sets(st.tuples(st.just(1), st.integers(1, 60))), st.integers(1, 120))
def test_a_share_is_the_oldest_batches_whole_and_large_enough(
    waiting: list[WaitingBatch], damaged: set[tuple[int, int]], target: int
):
    found = share(waiting, damaged, target)
    usable = [b for b in waiting if _damaged_in(b, damaged) < b.instances]
    assert list(found.batches) == usable[: len(found.batches)]
    assert bool(found.batches) == bool(usable)
    length, whole = sum(b.length for b in found.batches), sum(b.length for b in usable)
    if len(found.batches) < len(usable):
        assert length >= target
        assert whole >= 2 * target
        assert length - found.batches[-1].length < target
    else:
        assert whole < 2 * target or length - found.batches[-1].length < target
    assert set(found.excluded) == {
        one for one in damaged for b in found.batches if b.key.first_position <= one[1] <= b.last_position
    }


def _damaged_in(batch: WaitingBatch, damaged: set[tuple[int, int]]) -> int:
    return sum(batch.key.first_position <= position <= batch.last_position for _, position in damaged)


def test_damage_in_another_epoch_excludes_nothing():
    batch = WaitingBatch(BatchKey(2, 1), 10, 10, 100)
    assert share([batch], {(1, 5), (2, 11)}, 1).excluded == ()


def test_a_share_has_no_more_instances_than_an_index_is_read_of():
    many = [WaitingBatch(BatchKey(1, 20_000 * n + 1), 20_000 * (n + 1), 20_000, 1) for n in range(9)]
    assert sum(batch.instances for batch in share(many, (), 1 << 30).batches) == INSTANCES_MAX
