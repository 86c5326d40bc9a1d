"""The decision on a storage commitment request: success for what is verified and undisputed, and only then."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.custody.decision import Decision, Entry, Known, Place, decide, known_of
from gateway.model.batch import KnownBlock
from gateway.model.commitment import (
    CommitmentItem,
    FailureReason,
    KnownVolume,
    QuarantinedTwin,
    Standing,
)
from gateway.model.identifiers import AeTitle, NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.instance import ReceiveId

NODE, VAULT, STUDY = NodeId(UUID(int=1)), VaultId(UUID(int=2)), StudyUid("1.2")
CT, MR, ODD = Uid("1.2.840.1"), Uid("1.2.840.2"), Uid("1.2.840.3")
ME, OTHER = AeTitle("CT1"), AeTitle("MR1")
VOLUME = VolumeId("0" * 26)
UID = SopInstanceUid("1.2.3")

classes = st.sampled_from([CT, MR, ODD])
uids = st.sampled_from([SopInstanceUid(f"1.2.{n}") for n in range(4)])
items = st.lists(st.builds(CommitmentItem, classes, uids), min_size=1, max_size=8, unique=True)


@st.composite
def places(draw: st.DrawFn) -> Place:
    volume = draw(st.none() | st.sampled_from([VOLUME, VolumeId("1" * 26)]))
    position = draw(st.integers(1, 5))
    return Place(draw(classes), (VAULT, STUDY), ReceiveId(NODE, 1, position), volume, position - 1)


def apart(found: dict[SopInstanceUid, list[Place]]) -> dict[SopInstanceUid, list[Place]]:
    """No two UIDs at one place of a volume."""
    return {
        uid: [
            replace(
                place, ordinal=place.ordinal + 10 * number,
                receive_id=replace(place.receive_id, position=place.receive_id.position + 10 * number),
            )
            for place in places
        ]
        for number, (uid, places) in enumerate(found.items())
    }  # fmt: skip


knowns = st.builds(
    Known,
    st.dictionaries(uids, st.lists(places(), min_size=1, max_size=3)).map(apart),
    st.frozensets(uids, max_size=2),
    st.dictionaries(uids, st.integers(1, 9), max_size=2),
)


def taken(sop_class: Uid) -> bool:
    return sop_class != ODD


def committed(decision: Decision) -> set[SopInstanceUid]:
    return {member.sop_uid for one in decision.secured for member in one.members}


@given(items=items, known=knowns, expired=st.booleans())
def test_p3_success_is_for_what_is_verified_undisputed_and_not_held_apart_and_for_all_of_it(
    items: list[CommitmentItem], known: Known, expired: bool
):
    decision = decide(items, known, is_taken=taken, expired=expired)
    good = {item for item in items if item not in decision.failures}
    for item in good:
        verified = [place for place in known.places.get(item.sop_uid, ()) if place.volume is not None]
        assert any(place.sop_class == item.sop_class for place in verified)
        assert item.sop_uid not in known.disputed
        assert item.sop_uid not in known.quarantined
        assert taken(item.sop_class)
    for item in set(items) - good:
        secure = [
            place for place in known.places.get(item.sop_uid, ())
            if place.volume is not None and place.sop_class == item.sop_class
        ]  # fmt: skip
        apart = item.sop_uid in known.disputed or item.sop_uid in known.quarantined
        assert not secure or apart or not taken(item.sop_class), "what is secure fails for no reason"
    assert committed(decision) == {item.sop_uid for item in good}
    assert set(decision.failures) <= set(items)


@given(items=items, known=knowns)
def test_whatever_expired_is_final_and_waiting_changes_no_other_result(
    items: list[CommitmentItem], known: Known
):
    waiting = decide(items, known, is_taken=taken, expired=False)
    expired = decide(items, known, is_taken=taken, expired=True)
    assert expired.final
    assert (waiting.failures, waiting.secured) == (expired.failures, expired.secured)
    waited_for = [
        item for item, why in waiting.failures.items()
        if why in (FailureReason.NO_SUCH_INSTANCE, FailureReason.RESOURCE_LIMITATION)
    ]  # fmt: skip
    assert waiting.final == (not waited_for)
    assert sum(waiting.unverified.values()) + waiting.absent == len(waited_for)


def place(sop_class: Uid = CT, volume: VolumeId | None = VOLUME) -> Place:
    return Place(sop_class, (VAULT, STUDY), ReceiveId(NODE, 1, 1), volume)


@pytest.mark.parametrize(
    ("known", "sop_class", "reason"),
    [
        (Known({}), CT, FailureReason.NO_SUCH_INSTANCE),
        (Known({UID: [place()]}), ODD, FailureReason.CLASS_NOT_SUPPORTED),
        (Known({UID: [place(MR)]}), CT, FailureReason.CLASS_INSTANCE_CONFLICT),
        (Known({UID: [place(volume=None)]}), CT, FailureReason.RESOURCE_LIMITATION),
        (Known({UID: [place()]}, frozenset([UID])), CT, FailureReason.PROCESSING_FAILURE),
        (Known({UID: [place()]}, quarantined={UID: 7}), CT, FailureReason.PROCESSING_FAILURE),
    ],
    ids=["absent", "class-not-taken", "other-class", "unverified", "disputed", "held-apart"],
)
def test_each_failure_has_its_reason(known: Known, sop_class: Uid, reason: FailureReason):
    item = CommitmentItem(sop_class, UID)
    decision = decide([item], known, is_taken=taken, expired=True)
    assert decision.failures == {item: reason}
    assert decision.secured == ()


def standing(**changed: object) -> Standing:
    fields: dict[str, object] = {
        "vault": VAULT, "study_uid": STUDY, "volumes": (KnownVolume(VOLUME, NODE, False, b"v"),),
        "open_blocks": (), "disputed": frozenset(), "quarantined": (), "damaged": frozenset(),
        "preferred": {},
    }  # fmt: skip
    return Standing(**{**fields, **changed})  # type: ignore[arg-type]


def entries(block: bytes) -> list[Entry]:
    """`v`: in the volume; `o`: in an open batch, received later."""
    position = 1 if block == b"v" else 2
    return [("1.9", "1.9", ReceiveId(NODE, 1, 9)), (CT, UID, ReceiveId(NODE, 1, position))]


def is_committed(*standings: Standing, calling: AeTitle = ME) -> bool:
    known = known_of(standings, {UID}, calling, entries)
    return not decide([CommitmentItem(CT, UID)], known, is_taken=taken, expired=True).failures


def test_a_verified_volume_secures_by_the_place_in_its_block():
    known = known_of([standing()], {UID}, ME, entries)
    decision = decide([CommitmentItem(CT, UID)], known, is_taken=taken, expired=False)
    [one] = decision.secured
    assert one.volume == VOLUME
    assert [(member.ordinal, member.receive_id.position) for member in one.members] == [(1, 1)]


def test_what_is_damaged_disputed_or_not_chosen_counts_for_nothing():
    assert is_committed(standing())
    assert not is_committed(standing(volumes=(KnownVolume(VOLUME, NODE, True, b"v"),)))
    assert not is_committed(standing(damaged=frozenset([ReceiveId(NODE, 1, 1)])))
    assert not is_committed(standing(disputed=frozenset([UID])))
    assert not is_committed(standing(preferred={UID: ReceiveId(NODE, 1, 2)}))
    assert is_committed(standing(preferred={UID: ReceiveId(NODE, 1, 1)}))
    assert not is_committed(standing(volumes=(), open_blocks=(KnownBlock(NODE, 1, b"o"),)))


def test_a_twin_that_is_held_apart_fails_for_its_own_sender_only():
    twin = standing(quarantined=(QuarantinedTwin(7, UID, ME),))
    assert not is_committed(twin, calling=ME)
    assert is_committed(twin, calling=OTHER)


@given(items=items, known=knowns)
def test_a_decision_that_awaits_the_landing_is_not_final_and_withheld_has_no_success(
    items: list[CommitmentItem], known: Known
):
    decision = decide(items, known, is_taken=taken, expired=True)
    assert decision.final
    assert not replace(decision, awaits_landing=True).final
    withheld = decision.withheld(items)
    assert (withheld.final, withheld.secured, set(withheld.failures)) == (True, (), set(items))
    assert {item: withheld.failures[item] for item in decision.failures} == dict(decision.failures)
    rest = {withheld.failures[item] for item in items if item not in decision.failures}
    assert rest <= {FailureReason.RESOURCE_LIMITATION}
