"""Status codes: as a foreign table has them."""

import pytest
from pynetdicom import status as foreign

from gateway.wire.dicom.status import Kind, Status, kind_of, name_of

FOREIGN = {
    **foreign.QR_FIND_SERVICE_CLASS_STATUS,
    **foreign.QR_MOVE_SERVICE_CLASS_STATUS,
    **foreign.QR_GET_SERVICE_CLASS_STATUS,
    **foreign.STORAGE_SERVICE_CLASS_STATUS,
    **foreign.GENERAL_STATUS,
}
OURS = {Status.CONFLICTING_CONTENT}


@pytest.mark.parametrize("status", sorted(set(Status) - OURS))
def test_each_status_is_in_the_foreign_table_and_of_the_same_kind(status: Status):
    assert FOREIGN[status.value][0].lower() == kind_of(status).value


def test_every_status_of_the_foreign_table_has_the_same_kind():
    differing = {
        hex(code): words for code, words in FOREIGN.items() if words[0].lower() != kind_of(code).value
    }
    assert differing == {}


def test_our_own_status_is_a_failure_of_the_range_that_storage_leaves_to_us():
    assert kind_of(Status.CONFLICTING_CONTENT) is Kind.FAILURE
    assert Status.CONFLICTING_CONTENT >> 12 == 0xC


@pytest.mark.parametrize(
    ("status", "kind"), [(0xA7FF, Kind.FAILURE), (0xB123, Kind.WARNING), (0x1234, Kind.FAILURE)]
)
def test_an_unnamed_status_has_the_kind_of_its_range(status: int, kind: Kind):
    assert kind_of(status) is kind


def test_what_is_no_status_is_refused():
    for number in (-1, 0x10000):
        with pytest.raises(ValueError, match="no status"):
            kind_of(number)


def test_a_status_has_words_for_people():
    assert name_of(0xA700) == "A700H out of resources"
    assert name_of(0xA7FF) == "A7FFH failure"
