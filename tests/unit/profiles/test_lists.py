"""The lists of the neutral profile, against the tables of three other projects' authors."""

import pytest
from pydicom._uid_dict import UID_dictionary  # pydicom has no public list of them all
from pynetdicom import sop_class

from gateway.profiles import load

PROFILE = load("neutral")
STANDARD = {uid: (words[0], words[1], words[4]) for uid, words in UID_dictionary.items()}
FOREIGN_STORAGE = {
    uid for uid, (name, kind, _) in STANDARD.items() if kind == "SOP Class" and "Storage" in name
} | set(map(str, sop_class._STORAGE_CLASSES.values()))

# Why a class that has "Storage" in its name is not accepted.
NO_STORAGE = {"1.2.840.10008.1.3.10", "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.2"}
NO_PATIENT = {
    "1.2.840.10008.5.1.4.1.1.200.1",  # CT Defined Procedure Protocol
    "1.2.840.10008.5.1.4.1.1.200.3",  # Protocol Approval
    "1.2.840.10008.5.1.4.1.1.200.7",  # XA Defined Procedure Protocol
    "1.2.840.10008.5.1.4.1.1.201.1",  # Inventory
    "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol
    "1.2.840.10008.5.1.4.39.1",  # Color Palette
    "1.2.840.10008.5.1.4.43.1",  # Generic Implant Template
    "1.2.840.10008.5.1.4.44.1",  # Implant Assembly Template
    "1.2.840.10008.5.1.4.45.1",  # Implant Template Group
}
NOT_MEDICAL = ("1.2.840.10008.5.1.4.1.1.501.", "1.2.840.10008.5.1.4.1.1.601.")  # DICOS, DICONDE
NEWER_THAN_THE_TABLES = {  # CT for processing
    "1.2.840.10008.5.1.4.1.1.2.3",
    "1.2.840.10008.5.1.4.1.1.2.4",
    "1.2.840.10008.5.1.4.1.1.2.5",
}
NO_WHOLE_INSTANCE = {
    "1.2.840.10008.1.2.4.94",  # JPIP
    "1.2.840.10008.1.2.4.95",
    "1.2.840.10008.1.2.4.204",
    "1.2.840.10008.1.2.4.205",
    "1.2.840.10008.1.2.6.1",  # MIME
    "1.2.840.10008.1.2.6.2",  # XML
    "1.2.840.10008.1.2.7.1",  # SMPTE ST 2110
    "1.2.840.10008.1.2.7.2",
    "1.2.840.10008.1.2.7.3",
    "1.2.840.10008.1.20",  # Papyrus
}


def test_every_storage_class_with_a_patient_is_accepted_and_no_other():
    with_patient = {
        uid for uid in FOREIGN_STORAGE - NO_STORAGE - NO_PATIENT if not uid.startswith(NOT_MEDICAL)
    }
    assert PROFILE.acceptance.storage == with_patient | NEWER_THAN_THE_TABLES


def test_the_exceptions_are_still_exceptions():
    assert FOREIGN_STORAGE >= NO_STORAGE | NO_PATIENT
    assert not NEWER_THAN_THE_TABLES & FOREIGN_STORAGE


def test_every_transfer_syntax_that_holds_a_whole_instance_is_accepted_and_no_other():
    standard = {uid for uid, (_, kind, _) in STANDARD.items() if kind == "Transfer Syntax"}
    assert PROFILE.acceptance.transfer_syntaxes == standard - NO_WHOLE_INSTANCE
    assert standard >= NO_WHOLE_INSTANCE


@pytest.mark.parametrize("uid", sorted(PROFILE.acceptance.storage | PROFILE.acceptance.transfer_syntaxes))
def test_each_uid_bears_the_standards_keyword(uid: str):
    if uid in STANDARD:
        assert PROFILE.keywords[uid] == STANDARD[uid][2]
    elif uid not in NEWER_THAN_THE_TABLES:
        assert getattr(sop_class, PROFILE.keywords[uid]) == uid


def test_the_core_can_keep_every_accepted_transfer_syntax():
    core = pytest.importorskip("gateway._core")
    if not hasattr(core, "transfer_syntaxes"):
        pytest.skip("this build of the core has no table of transfer syntaxes yet")
    keepable = {uid for uid, _, _, elsewhere in core.transfer_syntaxes() if not elsewhere}
    assert PROFILE.acceptance.transfer_syntaxes <= keepable
