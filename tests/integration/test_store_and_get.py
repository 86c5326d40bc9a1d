"""What is stored is findable within a second, and comes back byte for byte."""

import time
from pathlib import Path

import pytest

from tests import foreign
from tests.foreign import get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, JPEG_BASELINE, Instance, ct, study_of

pytestmark = pytest.mark.filterwarnings("ignore")

KINDS = [(CT, EXPLICIT), (CT, IMPLICIT)]


def stored(gateway: GatewayProcess, instances: list[Instance], folder: Path) -> list[Instance]:
    answers = store(gateway, instances, folder)
    assert [answer.Status for answer in answers] == [0x0000] * len(instances)
    study = identifier("STUDY", StudyInstanceUID=instances[0].study)

    def found() -> bool:
        responses, _ = get(gateway, study, [])
        final = responses[-1][0]
        counts = (final.get("NumberOfFailedSuboperations") or 0) + (
            final.get("NumberOfCompletedSuboperations") or 0
        )
        return counts == len(instances)

    eventually(found, 5)
    return instances


def test_an_instance_is_findable_within_a_second_of_its_answer(gateway: GatewayProcess, tmp_path: Path):
    one = ct()
    with (
        foreign.associated(gateway, [(CT, EXPLICIT)]) as association,
        foreign.associated(gateway, [(CT, EXPLICIT)], get=True) as asking,
    ):
        assert association.send_c_store(one.write(tmp_path)).Status == 0x0000
        answered = time.monotonic()
        while True:
            final = list(asking.send_c_get(identifier("STUDY", StudyInstanceUID=one.study), foreign.GET))[-1][
                0
            ]
            if final.get("NumberOfCompletedSuboperations"):
                break
            assert time.monotonic() - answered < 1.0, "not findable within a second"
            time.sleep(0.02)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_bytes_come_back_as_they_were_sent_at_every_level(
    gateway: GatewayProcess, tmp_path: Path, syntax: str
):
    study = stored(gateway, study_of(6, series=2, transfer_syntax=syntax), tmp_path)
    one_series = [one for one in study if one.series == study[0].series]
    asked = {
        "STUDY": (identifier("STUDY", StudyInstanceUID=study[0].study), study),
        "SERIES": (
            identifier("SERIES", StudyInstanceUID=study[0].study, SeriesInstanceUID=study[0].series),
            one_series,
        ),
        "IMAGE": (
            identifier(
                "IMAGE",
                StudyInstanceUID=study[0].study,
                SeriesInstanceUID=study[0].series,
                SOPInstanceUID=[one.sop_instance for one in one_series[:2]],
            ),
            one_series[:2],
        ),
    }
    for level, (wanted, expected) in asked.items():
        responses, received = get(gateway, wanted, [(CT, syntax)])
        final = responses[-1][0]
        assert final.Status == 0x0000, level
        assert final.NumberOfCompletedSuboperations == len(expected)
        assert received == {one.sop_instance: one.data_set for one in expected}
        pending = [status for status, _ in responses[:-1]]
        assert all(status.Status == 0xFF00 for status in pending)
        assert [status.NumberOfRemainingSuboperations for status in pending] == list(
            range(len(expected) - 1, 0, -1)
        )


def test_a_list_of_studies_is_served_whole(gateway: GatewayProcess, tmp_path: Path):
    first, second = stored(gateway, [ct()], tmp_path), stored(gateway, [ct()], tmp_path)
    wanted = identifier("STUDY", StudyInstanceUID=[first[0].study, second[0].study])
    _, received = get(gateway, wanted, [(CT, EXPLICIT)])
    assert set(received) == {first[0].sop_instance, second[0].sop_instance}


def test_what_is_not_there_gives_success_without_sub_operations(gateway: GatewayProcess):
    responses, received = get(gateway, identifier("STUDY", StudyInstanceUID="1.2.3.4.5"), [(CT, EXPLICIT)])
    assert received == {}
    assert len(responses) == 1
    assert responses[0][0].Status == 0x0000
    assert responses[0][0].NumberOfCompletedSuboperations == 0


def test_a_context_without_the_scp_role_fails_each_sub_operation(gateway: GatewayProcess, tmp_path: Path):
    study = stored(gateway, study_of(2), tmp_path)
    wanted = identifier("STUDY", StudyInstanceUID=study[0].study)
    responses, received = get(gateway, wanted, [(CT, EXPLICIT)], roles=[])
    status, named = responses[-1]
    assert received == {}
    assert status.Status == 0xA702
    assert status.NumberOfFailedSuboperations == 2
    assert named is not None
    assert set(named.FailedSOPInstanceUIDList) == {one.sop_instance for one in study}


def test_a_syntax_that_cannot_be_taken_fails_its_own_sub_operation_only(
    gateway: GatewayProcess, tmp_path: Path
):
    uid = ct().study
    study = stored(gateway, [ct(study=uid), ct(study=uid, transfer_syntax=IMPLICIT), ct(study=uid)], tmp_path)
    responses, received = get(gateway, identifier("STUDY", StudyInstanceUID=uid), [(CT, EXPLICIT)])
    status, named = responses[-1]
    assert status.Status == 0xB000
    assert (status.NumberOfCompletedSuboperations, status.NumberOfFailedSuboperations) == (2, 1)
    assert set(received) == {study[0].sop_instance, study[2].sop_instance}
    assert named is not None
    assert named.FailedSOPInstanceUIDList == study[1].sop_instance


def test_a_wrong_identifier_is_a900(gateway: GatewayProcess):
    wrong = identifier("SERIES", StudyInstanceUID="1.2.3")
    responses, _ = get(gateway, wrong, [(CT, EXPLICIT)])
    assert responses[-1][0].Status == 0xA900


def test_a_syntax_that_the_profile_does_not_take_is_not_accepted(gateway: GatewayProcess):
    with foreign.associated(gateway, [(CT, EXPLICIT), (CT, JPEG_BASELINE), (CT, "1.2.3.4.5")]) as association:
        accepted = {context.transfer_syntax[0] for context in association.accepted_contexts}
    assert accepted == {EXPLICIT, JPEG_BASELINE}


def test_the_commands_show_the_study(gateway: GatewayProcess, tmp_path: Path):
    study = stored(gateway, study_of(3, name="Åkerblom^Sälä"), tmp_path)
    page = gateway.kuva("study", "list", "--patient-name", "akerblom")
    assert study[0].study in {one["uid"] for one in page["studies"]}
    (shown,) = gateway.kuva("study", "show", study[0].study)
    assert shown["findable"]
    assert shown["study"]["instances"] == 3
    assert shown["study"]["length"] == sum(len(one.data_set) for one in study)
    assert shown["study"]["attributes"]["patient_name"] == "Åkerblom^Sälä"
    (series,) = shown["series"]
    assert {one["sop_instance"] for one in series["instances"]} == {one.sop_instance for one in study}
    newest = gateway.kuva("journal", "show", "--limit", "3")["newest"]
    assert {one["sop_instance"] for one in newest} == {one.sop_instance for one in study}
    for words in (
        ["study", "list"],
        ["study", "show", study[0].study, "-i"],
        ["journal", "show"],
        ["ae", "list"],
    ):
        assert gateway.kuva(*words, plain=True)
    with pytest.raises(CommandFailedError, match="no study") as error:
        gateway.kuva("study", "show", "1.2.3.4")
    assert error.value.code == 1


def test_health_and_metrics_answer(gateway: GatewayProcess):
    assert gateway.get("/ready") == (200, '{"ready":true,"why_not":[]}\n')
    assert gateway.get("/health")[0] == 200
    status, text = gateway.get("/metrics")
    assert status == 200
    for name in ("kuva_core_instances_kept_total", "kuva_journal_fill", "kuva_loop_lag_seconds_bucket"):
        assert name in text
