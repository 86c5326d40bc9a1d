"""Storage commitment over the wire: asked, kept, resolved, reported, with pynetdicom as the foreign SCU."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.uid import generate_uid

from tests.commitment_peer import Report, Scu
from tests.foreign import store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually, free_port
from tests.instances import CT, EXPLICIT, Instance, ct, data_set_of, encode, new_uid, study_of

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
ABSENT = (CT, "1.2.826.0.1.3680043.8.498.1")
NOT_TAKEN = ("1.2.840.10008.5.1.4.1.1.999", "1.2.826.0.1.3680043.8.498.2")
CONFIG = """
[dicom]
ae_titles = ["KUVA"]
[commitment]
parking_seconds = 1
[volumes]
gather_seconds = 60
gather_seconds_max = 60
"""
"""No volume is due before requests fail: what they are told is certain."""
PATIENT = """
[dicom]
ae_titles = ["KUVA"]
[commitment]
parking_seconds = 60
"""
AT_ONCE = """
format = 1
name = "at_once"
version = "1"
title = "Whoever does not ask at once is late"
extends = "neutral"
[commitment]
uncommitted_after_days = 0
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    started = GatewayProcess(tmp_path_factory.mktemp("commitment"), config=CONFIG).start()
    yield started
    started.stop()


def scu(gateway: GatewayProcess, calling: str, *options: str) -> Scu:
    gateway.kuva("ae", "add", calling, "--vault", "north", *options)
    return Scu(gateway, calling)


def reported_to(port: int, mode: str) -> tuple[str, ...]:
    return "--report-host", "127.0.0.1", "--report-port", str(port), "--report-mode", mode


def rejection_note(image: Instance) -> Instance:
    """A key object selection of "Rejected for Quality Reasons" that names an image (IHE IOCM)."""
    series, sop_instance = new_uid(), new_uid()
    named = data_set_of(ReferencedSOPClassUID=image.sop_class, ReferencedSOPInstanceUID=image.sop_instance)
    evidence = data_set_of(
        StudyInstanceUID=image.study,
        ReferencedSeriesSequence=[data_set_of(SeriesInstanceUID=image.series, ReferencedSOPSequence=[named])],
    )
    title = data_set_of(
        CodeValue="113001", CodingSchemeDesignator="DCM", CodeMeaning="Rejected for Quality Reasons"
    )
    note = data_set_of(
        SpecificCharacterSet="ISO_IR 192", SOPClassUID=KEY_OBJECTS, SOPInstanceUID=sop_instance,
        StudyDate="20240229", StudyTime="101500", AccessionNumber="", Modality="KO",
        PatientName="Meikäläinen^Matti", PatientID="TEST-1", PatientBirthDate="19700101", PatientSex="O",
        StudyInstanceUID=image.study, SeriesInstanceUID=series, SeriesNumber=2, InstanceNumber=1,
        CurrentRequestedProcedureEvidenceSequence=[evidence], ValueType="CONTAINER",
        ConceptNameCodeSequence=[title], ContinuityOfContent="SEPARATE",
        ContentSequence=[data_set_of(
            RelationshipType="CONTAINS", ValueType="IMAGE", ReferencedSOPSequence=[named]
        )],
    )  # fmt: skip
    return Instance(image.study, series, sop_instance, KEY_OBJECTS, EXPLICIT, encode(note, EXPLICIT))


def absent_of(report: Report, transaction: str) -> bool:
    wanted = (2, transaction, (), {ABSENT[1]: 0x0112})
    return (report.event_type, report.transaction, report.committed, report.failed) == wanted


def test_same_the_report_comes_on_the_association_that_asked(gateway: GatewayProcess):
    caller = scu(gateway, "SAME", "--report-mode", "same")
    with caller.associated() as association:
        transaction, status = caller.ask(association, [ABSENT])
        assert status == 0
        report = caller.report()
        assert absent_of(report, transaction)
        assert report.same
        transaction, status = caller.ask(association, [ABSENT, NOT_TAKEN])
        assert caller.report().failed == {ABSENT[1]: 0x0112, NOT_TAKEN[1]: 0x0122}
    eventually(lambda: gateway.kuva("commitment", "list", "--calling", "SAME")[0]["waits_for"] == "")


def test_new_the_report_comes_on_an_association_of_ours_as_scp(gateway: GatewayProcess):
    port = free_port()
    caller = scu(gateway, "NEWLY", *reported_to(port, "new"))
    with caller.listening(port):
        with caller.associated() as association:
            transaction, status = caller.ask(association, [ABSENT])
            assert status == 0
            report = caller.report()
        assert absent_of(report, transaction)
        assert not report.same


def test_same_then_new_the_report_comes_on_a_new_one_once_the_old_one_is_gone(gateway: GatewayProcess):
    port = free_port()
    caller = scu(gateway, "BOTH", *reported_to(port, "same_then_new"))
    with caller.listening(port):
        with caller.associated() as association:
            transaction, _ = caller.ask(association, [ABSENT])
        report = caller.report()
        assert absent_of(report, transaction)
        assert not report.same
        with caller.associated() as association:
            transaction, _ = caller.ask(association, [ABSENT])
            report = caller.report()
        assert absent_of(report, transaction)
        assert report.same


def test_u38_a_peer_that_is_away_gets_its_report_when_it_is_back(gateway: GatewayProcess):
    port = free_port()
    caller = scu(gateway, "AWAY", *reported_to(port, "new"))
    with caller.associated() as association:
        transaction, _ = caller.ask(association, [ABSENT])
    [one] = gateway.kuva("commitment", "list", "--calling", "AWAY")

    def tried() -> bool:
        shown = gateway.kuva("commitment", "show", str(one["id"]))
        return (
            bool(shown["reports"])
            and shown["reports"][0]["attempts"] >= 1
            and shown["reports"][0]["last_error"]
        )

    eventually(tried, 15)
    assert gateway.kuva("commitment", "retry", str(one["id"])) == {"reports": 1}
    with caller.listening(port):
        assert absent_of(caller.report(), transaction)


def test_u38_a_report_that_is_answered_0110h_is_brought_again(gateway: GatewayProcess):
    port = free_port()
    caller = scu(gateway, "SICK", *reported_to(port, "new"))
    answers = [0x0110, 0x0110, 0x0000]
    caller.answer = lambda report: answers.pop(0)
    with caller.listening(port):
        with caller.associated() as association:
            transaction, _ = caller.ask(association, [ABSENT])
        for _ in range(3):
            assert absent_of(caller.report(), transaction)
    eventually(lambda: gateway.kuva("commitment", "list", "--calling", "SICK")[0]["waits_for"] == "")


def test_the_same_request_again_is_reported_again_and_another_list_fails_0131h(gateway: GatewayProcess):
    caller = scu(gateway, "AGAIN", "--report-mode", "same")
    other = (CT, "1.2.826.0.1.3680043.8.498.3")
    with caller.associated() as association:
        transaction, _ = caller.ask(association, [ABSENT])
        first = caller.report()
        assert caller.ask(association, [ABSENT], transaction) == (transaction, 0)
        assert caller.report() == first
        assert caller.ask(association, [ABSENT, other], transaction) == (transaction, 0)
        assert caller.report().failed == {ABSENT[1]: 0x0131, other[1]: 0x0131}


def test_what_is_asked_before_a_restart_is_reported_after_it(tmp_path: Path):
    gateway = GatewayProcess(
        tmp_path, config=CONFIG.replace("parking_seconds = 1", "parking_seconds = 6")
    ).start()
    port = free_port()
    caller = scu(gateway, "RESTART", *reported_to(port, "same_then_new"))
    with caller.associated() as association:
        transaction, status = caller.ask(association, [ABSENT])
        assert status == 0
        gateway.kill()
    with caller.listening(port):
        gateway.start()
        assert absent_of(caller.report(60), transaction)
    assert gateway.stop() == 0


def test_u40_what_is_only_in_the_journal_is_never_committed(gateway: GatewayProcess, tmp_path: Path):
    """Volumes are not due within the parking time here: kept, and not verified."""
    caller = scu(gateway, "SPOOLED", "--report-mode", "same")
    instances = study_of(3)
    store(gateway, instances, tmp_path, calling="SPOOLED")
    pairs = [(CT, one.sop_instance) for one in instances]
    with caller.associated() as association:
        caller.ask(association, pairs)
        report = caller.report()
    assert report.committed == ()
    assert report.failed == {one.sop_instance: 0x0213 for one in instances}


def test_whoever_has_no_grant_to_the_vault_hears_the_same_as_of_what_is_not_there(
    gateway: GatewayProcess, tmp_path: Path
):
    instances = study_of(1)
    scu(gateway, "OWNER")
    store(gateway, instances, tmp_path, calling="OWNER")
    gateway.kuva("ae", "add", "FOREIGN", "--vault", "south", "--report-mode", "same")
    caller = Scu(gateway, "FOREIGN")
    with caller.associated() as association:
        caller.ask(association, [(CT, instances[0].sop_instance)], generate_uid())
        assert caller.report().failed == {instances[0].sop_instance: 0x0112}


@pytest.mark.parametrize("mode", ["same", "new"])
def test_send_commit_waits_for_the_report_and_says_what_is_not_committed(
    gateway: GatewayProcess, tmp_path: Path, mode: str
):
    """Nothing is verified within the parking time here, so that every instance fails, and the command with it."""
    port, calling = free_port(), f"SENDER{mode.upper()}"
    scu(gateway, calling, *reported_to(port, mode))
    for one in study_of(3):
        one.write(tmp_path)
    with pytest.raises(CommandFailedError) as failed:
        gateway.kuva(
            "send", str(tmp_path), "--to", f"127.0.0.1:{gateway.dicom_port}", "--calling", calling, "--commit",
            "--report-port", str(port), "--commit-seconds", "30",
        )  # fmt: skip
    assert failed.value.code == 1
    told = json.loads(failed.value.complaint[failed.value.complaint.index("{") :])
    assert told["sent"] == 3
    assert (told["commitment"]["asked"], told["commitment"]["committed"]) == (3, 0)
    assert set(told["commitment"]["failed"].values()) <= {"0213H", "0112H"}
    assert told["commitment"]["unreported"] == 0


def test_what_is_stored_is_committed_once_it_is_in_a_verified_volume(tmp_path: Path):
    """The whole way: C-STORE, N-ACTION, a volume stored and read back, the fact of it, N-EVENT-REPORT."""
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    caller = scu(gateway, "WHOLE", "--report-mode", "same")
    instances = study_of(40)
    store(gateway, instances, tmp_path, calling="WHOLE")
    pairs = [(CT, one.sop_instance) for one in instances]
    with caller.associated() as association:
        transaction, status = caller.ask(association, [*pairs, NOT_TAKEN])
        assert status == 0
        report = caller.report(40)
        assert (report.event_type, report.transaction) == (2, transaction)
        assert sorted(report.committed) == sorted(pairs)
        assert report.failed == {NOT_TAKEN[1]: 0x0122}
        caller.ask(association, pairs)
        again = caller.report(10)
    assert (again.event_type, again.failed, sorted(again.committed)) == (1, {}, sorted(pairs))
    facts = list((gateway.data / "store").rglob("facts/*/*.json"))
    assert any(b"custody" in one.read_bytes() for one in facts)
    assert gateway.stop() == 0


def test_whoever_asks_for_what_it_sent_with_refused_bytes_fails_0110h_and_opens_one_incident(tmp_path: Path):
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    caller = scu(gateway, "TWICE", "--report-mode", "same")
    [kept] = study_of(1)
    twin = ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance)
    statuses = [store(gateway, [one], tmp_path, calling="TWICE")[0].Status for one in (kept, twin)]
    assert statuses == [0, 0xC0D1]

    def listed(kind: str) -> list[dict[str, Any]]:
        return gateway.kuva("incident", "list", "--kind", kind)  # type: ignore[no-any-return]

    (apart,) = eventually(lambda: listed("quarantine"))
    assert listed("commitment_of_twin") == []
    with caller.associated() as association:
        transaction, _ = caller.ask(association, [(CT, kept.sop_instance)])
        assert caller.report(40).failed == {kept.sop_instance: 0x0110}
        (told,) = listed("commitment_of_twin")
        for _ in range(2):
            caller.ask(association, [(CT, kept.sop_instance)])
            assert caller.report(40).failed == {kept.sop_instance: 0x0110}
        assert listed("commitment_of_twin") == [told], "asked again: still one"
    assert (told["sop_uid"], told["receive_id"], told["kept"]) == (
        kept.sop_instance, apart["receive_id"], apart["kept"],
    )  # fmt: skip
    assert told["newcomer"]["sender"]["calling"] == "TWICE"
    assert transaction in told["reason"]
    assert f"incident {apart['id']}" in told["reason"]
    words = ("incident", "resolve", str(told["id"]), "--keep", "--reason", "the sender knows", "--by", "test")
    assert gateway.kuva(*words)["resolution"] == "keep"
    other = scu(gateway, "BYSTANDER", "--report-mode", "same")  # nobody refused its bytes
    with other.associated() as association:
        other.ask(association, [(CT, kept.sop_instance)])
        assert other.report(40).committed == ((CT, kept.sop_instance),)
    assert listed("commitment_of_twin") == []
    assert gateway.stop() == 0


def test_what_is_kept_and_never_committed_is_told_after_the_profiles_time(tmp_path: Path):
    gateway = GatewayProcess(tmp_path, config=PATIENT + '[profile]\nname = "at_once"\n')
    (gateway.data / "profiles").mkdir(parents=True)
    (gateway.data / "profiles" / "at_once.toml").write_text(AT_ONCE)
    gateway.start()
    caller = scu(gateway, "FORGETS", "--report-mode", "same")
    instances = study_of(3)
    store(gateway, instances, tmp_path, calling="FORGETS")
    assert gateway.kuva("commitment", "missing")["missing"] == [], "nothing is verified yet"
    with caller.associated() as association:
        caller.ask(association, [(CT, instances[0].sop_instance)])
        assert len(caller.report(40).committed) == 1
    told = gateway.kuva("commitment", "missing")
    (one,) = told["missing"]
    assert (told["after_days"], told["volumes"], told["instances"], told["since"]) == (
        0, 1, 2, one["verified_at"],
    )  # fmt: skip
    assert (one["vault_name"], one["study_uid"], one["instances"], one["of"]) == (
        "north", instances[0].study, 2, 3,
    )  # fmt: skip
    assert gateway.kuva("volume", "show", one["volume"])["verified_at"] == one["verified_at"]
    assert gateway.kuva("commitment", "missing", "--days", "1")["missing"] == [], "control: it is not so old"
    with pytest.raises(CommandFailedError) as failed:
        gateway.kuva("commitment", "missing", "--exit-code")
    assert failed.value.code == 3

    assert gateway.stop() == 0
    gateway.start()  # looks at once, and then every quarter of an hour
    counted = {"volumes": 1, "instances": 2, "since": one["verified_at"]}
    eventually(lambda: json.loads(gateway.get("/health")[1])["uncommitted"] == counted, 15)
    assert "\nkuva_uncommitted_instances 2.0\n" in gateway.get("/metrics")[1]
    [warning] = [one for one in gateway.events() if "not committed in time" in one["event"]]
    assert (warning["level"], warning["instances"], warning["volumes"]) == ("warning", 2, 1)
    with caller.associated() as association:
        caller.ask(association, [(CT, each.sop_instance) for each in instances])
        assert len(caller.report(40).committed) == 3
    assert gateway.kuva("commitment", "missing", "--exit-code")["missing"] == []
    assert gateway.stop() == 0


def test_whoever_was_refused_other_content_just_now_is_not_told_that_it_is_safe(tmp_path: Path):
    """The request overtakes the newcomer on its way to the catalogue; the result does not."""
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    caller = scu(gateway, "TWINS", "--report-mode", "same")
    kept = ct()
    pair = (CT, kept.sop_instance)
    with caller.associated() as association:
        store(gateway, [kept], tmp_path, calling="TWINS")
        caller.ask(association, [pair])
        assert caller.report(40).committed == (pair,)
        twin = ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance)
        [answer] = store(gateway, [twin], tmp_path, calling="TWINS")
        assert answer.Status == 0xC0D1
        caller.ask(association, [pair])
        report = caller.report(40)
    assert (report.committed, report.failed) == ((), {kept.sop_instance: 0x0110})
    assert gateway.stop() == 0


def test_a_gateway_does_not_start_on_an_empty_folder_where_its_store_belongs(tmp_path: Path):
    """A store that is not mounted: what was committed is not there, and what came would be put beside it."""
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    caller = scu(gateway, "MOUNTS", "--report-mode", "same")
    [kept] = study_of(1)
    store(gateway, [kept], tmp_path, calling="MOUNTS")
    with caller.associated() as association:
        caller.ask(association, [(CT, kept.sop_instance)])
        assert caller.report(40).failed == {}
    assert gateway.stop() == 0
    place, elsewhere = gateway.data / "store", tmp_path / "elsewhere"
    place.rename(elsewhere)
    place.mkdir()
    with pytest.raises(AssertionError, match="mounted"):
        gateway.start()
    assert gateway.wait() != 0
    assert list(place.iterdir()) == []
    place.rmdir()
    elsewhere.rename(place)
    gateway.start()
    assert gateway.stop() == 0


def test_d29_a_key_object_selection_is_kept_and_committed_as_any_other_instance(tmp_path: Path):
    """A rejection note is a plain object, until rejection notes mean something here."""
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    caller = scu(gateway, "KEYOBJECTS", "--report-mode", "same")
    [image] = study_of(1)
    note = rejection_note(image)
    store(gateway, [image, note], tmp_path, calling="KEYOBJECTS")
    pairs = [(image.sop_class, image.sop_instance), (note.sop_class, note.sop_instance)]
    with caller.associated() as association:
        caller.ask(association, pairs)
        report = caller.report(40)
    assert (report.event_type, sorted(report.committed)) == (1, sorted(pairs))
    assert gateway.stop() == 0


def test_send_commit_exits_0_when_the_archive_answers_for_everything(tmp_path: Path):
    gateway = GatewayProcess(tmp_path, config=PATIENT).start()
    port = free_port()
    scu(gateway, "SENDER", *reported_to(port, "new"))
    (tmp_path / "files").mkdir()
    for one in study_of(5):
        one.write(tmp_path / "files")
    told = gateway.kuva(
        "send", str(tmp_path / "files"), "--to", f"127.0.0.1:{gateway.dicom_port}", "--calling", "SENDER",
        "--commit", "--report-port", str(port), "--commit-seconds", "60",
    )  # fmt: skip
    assert (told["sent"], told["commitment"]["committed"], told["commitment"]["unreported"]) == (5, 5, 0)
    assert gateway.stop() == 0
