"""C-GET out of volumes: bytes out are bytes in, a damaged volume gives nothing out, and a resend mends it."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.foreign import get, identifier, store
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct, study_of
from tests.integration.test_volumes import AT_ONCE, is_kept, sent, volumes

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]


def fetched(gateway: GatewayProcess, study: str) -> tuple[Any, dict[str, bytes]]:
    return get(gateway, identifier("STUDY", StudyInstanceUID=study), [(CT, EXPLICIT)])


def received(instances: list[Instance]) -> dict[str, bytes]:
    return {one.sop_instance: one.data_set for one in instances}


def places(gateway: GatewayProcess, study: str) -> set[str]:
    (shown,) = gateway.ask(f"/studies/{study}")
    return {one["place"].split()[0] for series in shown["series"] for one in series["instances"]}


@pytest.fixture
def instances() -> list[Instance]:
    made = study_of(4, series=2)
    made.append(ct(study=made[0].study, side=1024))  # 2 MiB: read by ranges
    return made


def test_out_of_a_volume_comes_what_was_received_also_while_more_of_the_study_is_in_the_journal(
    another_gateway: Make, tmp_path: Path, instances: list[Instance]
):
    gateway = another_gateway(settings=AT_ONCE)
    study = instances[0].study
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal forgets")
    assert places(gateway, study) == {"volume"}
    assert fetched(gateway, study)[1] == received(instances)
    gateway.stop()
    gateway._sizes["KUVA_VOLUMES__QUIET_SECONDS"] = "600"
    gateway.start()
    later = ct(study=study)
    sent(gateway, [later], tmp_path)
    eventually(lambda: places(gateway, study) == {"volume", "journal"}, 10, "landing")
    assert fetched(gateway, study)[1] == received([*instances, later])


def test_while_instances_move_into_volumes_no_fetch_fails(
    another_gateway: Make, tmp_path: Path, instances: list[Instance]
):
    gateway = another_gateway(settings=AT_ONCE)
    study = instances[0].study
    sent(gateway, instances, tmp_path)
    eventually(lambda: len(fetched(gateway, study)[1]) == len(instances), 10, "landing")
    while places(gateway, study) != {"volume"} or gateway.ask("/journal")["space"]["live"]:
        assert fetched(gateway, study)[1] == received(instances)
    assert fetched(gateway, study)[1] == received(instances)
    assert gateway.ask("/incidents") == []


def test_a_changed_byte_in_a_volume_is_an_incident_never_given_out_and_mended_by_a_resend(
    another_gateway: Make, tmp_path: Path, instances: list[Instance]
):
    gateway = another_gateway(settings=AT_ONCE)
    study = instances[0].study
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal forgets")
    (volume,) = volumes(gateway, "verified")
    file = gateway.data / "store" / volume["key"]
    data = bytearray(file.read_bytes())
    data[data.find(instances[0].data_set) + 60] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    given = fetched(gateway, study)[1]
    assert given == received(instances[1:]), "all but the damaged one"

    def damaged() -> list[dict[str, Any]]:
        return [one for one in gateway.ask("/incidents") if one["kind"] == "damaged"]

    eventually(lambda: len(damaged()) == 1, 10, "the incident")
    assert damaged()[0]["sop_uid"] == instances[0].sop_instance
    assert volume["id"] in damaged()[0]["reason"]
    eventually(lambda: bool(volumes(gateway)[0]["damage"]), 10, "the volume is known to be damaged")
    # Nothing rests on it any more: what is sent again is kept again, and given out.
    answers = store(gateway, [*instances], tmp_path)
    assert {answer.Status for answer in answers} == {0x0000}
    eventually(lambda: fetched(gateway, study)[1] == received(instances), 20, "the resend is given out")


def test_the_path_that_an_operator_is_shown_is_the_file_in_the_volume(
    another_gateway: Make, tmp_path: Path, instances: list[Instance]
):
    gateway = another_gateway(settings=AT_ONCE)
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    (volume,) = volumes(gateway, "verified")
    (shown,) = gateway.ask(f"/studies/{instances[0].study}")
    with tarfile.open(gateway.data / "store" / volume["key"]) as archive:
        for one in (one for series in shown["series"] for one in series["instances"]):
            key, path = one["place"].removeprefix("volume ").split("#")
            assert key == volume["key"]
            file = archive.extractfile(f"{volume['id']}/{path}")
            assert file is not None
            assert file.read().endswith(received(instances)[one["sop_instance"]])
