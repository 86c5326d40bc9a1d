"""D rows: whose instance it is, and whether that can be told."""

import pytest

from gateway.cli.asking import ask
from tests.adversity.conftest import Left
from tests.adversity.data_sets import (
    ITEM,
    SERIES,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY,
    element,
    image,
    item,
)
from tests.adversity.peer import HostilePeer
from tests.adversity.storing import (
    CANNOT_UNDERSTAND,
    CONFLICT,
    MISMATCH,
    flags_of,
    image_of,
    instances_of,
    kept,
    refused,
)
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, Instance, new_uid
from tests.raw_peer import c_store_rq, p_data

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
PATIENT_ID = element(0x00100020, "LO", "OTHER-1")


# --- D6 to D10: identity --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [{"after_patient": PATIENT_ID}, {"before_pixels": element(STUDY, "UI", "1.2.3")}],
    ids=["patient-id", "study"],
)
def test_d6_an_identifier_that_comes_twice_is_refused(hostile: HostilePeer, wrong):
    refused(hostile, *image(**wrong), CANNOT_UNDERSTAND)


def test_d6_descending_tags_are_kept_and_flagged(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    one, data_set = image(after_patient=element(0x00100010, "PN", "X^Y"), patient_name=b"")
    kept(hostile, left, one, data_set)
    assert "tag-order" in flags_of(victim, one)


@pytest.mark.parametrize(
    "smuggled",
    [
        {"meta": element(0x00000002, "UI", CT)},
        {"meta": element(0x00020010, "UI", IMPLICIT)},
        {"behind": item(ITEM, b"")},
    ],
    ids=["command", "file-meta", "item"],
)
def test_d7_groups_that_are_no_data_set_are_refused(hostile: HostilePeer, smuggled):
    refused(hostile, *image(**smuggled), CANNOT_UNDERSTAND)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sop_class": element(SOP_CLASS, "UI", SECONDARY_CAPTURE)},
        {"sop_instance": element(SOP_INSTANCE, "UI", "1.2.3")},
        {"sop_class": b""},
        {"sop_instance": b""},
    ],
    ids=["class-differs", "instance-differs", "no-class", "no-instance"],
)
def test_d8_identity_that_differs_from_the_command_is_refused(hostile: HostilePeer, wrong):
    refused(hostile, *image(**wrong), MISMATCH)


def test_d8_a_class_that_is_not_the_contexts_is_refused(hostile: HostilePeer):
    one, data_set = image(sop_class=element(SOP_CLASS, "UI", SECONDARY_CAPTURE))
    hostile.established()
    hostile.send(p_data(1, c_store_rq(1, SECONDARY_CAPTURE, one.sop_instance), command=True, last=True))
    hostile.send(p_data(1, data_set, command=False, last=True))
    assert hostile.answer().status == MISMATCH


@pytest.mark.parametrize(
    ("uid", "status"),
    [
        ("../../etc/passwd", CANNOT_UNDERSTAND),
        ("/etc/passwd", CANNOT_UNDERSTAND),
        ("1." * 32 + "1", CANNOT_UNDERSTAND),
        ("1..2", CANNOT_UNDERSTAND),
        ("1.2.", CANNOT_UNDERSTAND),
        (".1.2", CANNOT_UNDERSTAND),
        ("1.2.٣", CANNOT_UNDERSTAND),
        ("1.2\n3", CANNOT_UNDERSTAND),
        ("", MISMATCH),
    ],
    ids=[
        "path",
        "absolute",
        "65-characters",
        "two-dots",
        "dot-last",
        "dot-first",
        "unicode",
        "newline",
        "empty",
    ],
)
@pytest.mark.parametrize("where", ["study", "series"])
def test_d9_what_is_no_uid_is_refused(hostile: HostilePeer, uid: str, status: int, where: str):
    tag = STUDY if where == "study" else SERIES
    refused(hostile, *image(**{where: element(tag, "UI", uid)}), status)


def test_d9_a_path_as_sop_instance_uid_is_refused_and_makes_no_file(
    hostile: HostilePeer, victim: GatewayProcess
):
    path = "../../escape"
    _, data_set = image(sop_instance=element(SOP_INSTANCE, "UI", path))
    hostile.established()
    hostile.send(p_data(1, c_store_rq(1, CT, path), command=True, last=True))
    hostile.send(p_data(1, data_set, command=False, last=True))
    assert hostile.answer().status == 0x0212  # mistyped argument: the command itself names no UID
    assert not list(victim.folder.parent.rglob("escape*"))


def test_d9_leading_zeros_are_kept_and_flagged(hostile: HostilePeer, victim: GatewayProcess, left: Left):
    study = f"1.2.0{new_uid()[5:30]}"
    one, data_set = image(study=element(STUDY, "UI", study))
    one = Instance(study, one.series, one.sop_instance, CT, EXPLICIT, data_set)
    kept(hostile, left, one, data_set)
    assert "uid-leading-zero" in flags_of(victim, one)


@pytest.mark.parametrize("padding", [b"\0", b" ", b""], ids=["nul", "space", "none"])
def test_d10_padding_makes_no_second_instance(hostile: HostilePeer, left: Left, padding: bytes):
    one, data_set = image()
    uid = one.sop_instance + "1" * (1 - len(one.sop_instance) % 2)
    uid = uid if len(uid) % 2 else uid[:-1]  # an odd length, which the standard pads with NUL

    def with_padding(pad: bytes) -> bytes:
        value = uid.encode() + pad
        return image_of(one, element(SOP_INSTANCE, "UI", value, length=len(value)))

    hostile.established()
    named = Instance(one.study, one.series, uid, CT, EXPLICIT, data_set)
    assert hostile.store(named, with_padding(b"\0")).status == 0
    left.kept += 1
    answer = hostile.store(named, with_padding(padding)).status
    # Byte for byte the same is identical; any other content under one UID conflicts, however it is padded.
    assert answer == (0 if padding == b"\0" else CONFLICT)
    left.quarantined += padding != b"\0"


# --- D26 to D28: whose is it ----------------------------------------------------------------------


@pytest.mark.parametrize(("patient", "incidents"), [(b"TEST-2", 1), (b"TEST-1", 0)], ids=["other", "same"])
def test_d26_one_study_uid_with_two_patients_is_kept_and_told(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, patient: bytes, incidents: int
):
    first, data_set = image()
    kept(hostile, left, first, data_set)
    second, _ = image()
    other = image_of(first, element(SOP_INSTANCE, "UI", second.sop_instance)).replace(b"TEST-1", patient)
    with HostilePeer(victim.dicom_port, hostile.cutting) as again:
        twin = Instance(first.study, first.series, second.sop_instance, CT, EXPLICIT, other)
        kept(again, left, twin, other)
    shown = eventually(lambda: instances_of(victim, first.study, 2), 10)
    assert {one["sop_instance"] for one in shown} == {first.sop_instance, second.sop_instance}
    # Told in the transaction that makes them findable: nothing more to wait for.
    found = ask(victim.data, "/incidents", query={"study": first.study})
    assert [(one["kind"], one["sop_uid"]) for one in found] == [
        ("second_patient", second.sop_instance)
    ] * incidents
    assert "TEST-" not in victim.log.read_text("utf-8")


@pytest.mark.parametrize("same_study", [False, True], ids=["other-study", "same-study"])
def test_d26_one_series_uid_in_two_studies_is_kept_and_told(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, same_study: bool
):
    first, data_set = image()
    kept(hostile, left, first, data_set)
    second, other = image(series=element(SERIES, "UI", first.series))
    study = second.study
    if same_study:
        study = first.study
        other = other.replace(element(STUDY, "UI", second.study), element(STUDY, "UI", study))
    twin = Instance(study, first.series, second.sop_instance, CT, EXPLICIT, other)
    with HostilePeer(victim.dicom_port, hostile.cutting) as again:
        kept(again, left, twin, other)
    assert eventually(lambda: instances_of(victim, study, 2 if same_study else 1), 10)
    found = ask(victim.data, "/incidents", query={"study": study})
    told = (
        "cross_study_series",
        second.sop_instance,
        f"series {first.series} is also in study {first.study}",
    )
    assert [(one["kind"], one["sop_uid"], one["reason"]) for one in found] == [told] * (not same_study)


def test_d28_one_bit_that_differs_is_c0d1_for_ever_and_held_apart_once(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    one, data_set = image()
    kept(hostile, left, one, data_set)
    twin = data_set[:-1] + bytes((data_set[-1] ^ 1,))
    statuses = [hostile.store(one, twin).status for _ in range(3)]
    assert statuses == [CONFLICT] * 3
    assert hostile.store(one).status == 0
    left.quarantined = 1
    incidents = eventually(lambda: _incidents(victim, one), 10)
    assert len(incidents) == 1


def _incidents(gateway: GatewayProcess, one: Instance) -> list[dict]:
    found = ask(gateway.data, "/incidents", query={"kind": "quarantine"})
    return [incident for incident in found if incident["sop_uid"] == one.sop_instance]


def test_d27_the_same_uid_from_two_organisations_is_kept_in_both_vaults(
    hostile: HostilePeer, victim: GatewayProcess, left: Left
):
    victim.kuva("ae", "add", "SOUTH", "--vault", "south")
    one, data_set = image()
    kept(hostile, left, one, data_set)
    with HostilePeer(victim.dicom_port, hostile.cutting) as south:
        assert south.associate([(1, CT, [EXPLICIT])], calling="SOUTH")[0] == 2
        assert south.store(one).status == 0
        left.kept += 1
    found = eventually(lambda: _accidents(victim, one), 10, "the incident being opened")
    assert len(found) == 1


def _accidents(gateway: GatewayProcess, one: Instance) -> list[dict]:
    found = ask(gateway.data, "/incidents", query={"kind": "cross_study_uid"})
    return [incident for incident in found if incident["sop_uid"] == one.sop_instance]
