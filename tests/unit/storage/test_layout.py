"""Layout: keys are lawful, tell their kinds apart, and come from our own identifiers alone."""

from uuid import UUID

import pytest

from gateway.errors import ObjectKeyError
from gateway.model.identifiers import VaultId
from gateway.storage.layout import fact_key, volume_key
from gateway.storage.object_store import check_key

VAULT = VaultId(UUID(int=0x1234))
ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def test_every_kind_has_its_place():
    vault = "00000000-0000-0000-0000-000000001234"
    assert volume_key(VAULT, ULID) == f"volumes/{vault}/{ULID}.tar"
    assert volume_key(VAULT, ULID, quarantined=True) == f"quarantine/{vault}/{ULID}.tar"
    assert fact_key(VAULT, ULID) == f"facts/{vault}/{ULID}.json"
    for key in (volume_key(VAULT, ULID), fact_key(VAULT, ULID)):
        assert check_key(key) == key


@pytest.mark.parametrize(
    "text", ["", "1.2.840.10008", ULID.lower(), ULID[:-1], ULID + "A", "8" + ULID[1:], ULID + "\n"]
)
def test_what_is_no_ulid_makes_no_key(text: str):
    with pytest.raises(ObjectKeyError):
        volume_key(VAULT, text)
