"""What is received becomes volumes in the store: whole, once, whatever is killed, rotten, full or lying."""

import json
import signal
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.broken_keeping import KILL_POINTS
from tests.damage import damage
from tests.foreign import get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct, study_of
from tests.volume_checker import check

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]
AT_ONCE = {"VOLUMES__QUIET_SECONDS": "0.3", "VOLUMES__QUARANTINE_SECONDS": "1"}


def sent(gateway: GatewayProcess, instances: Sequence[Instance], folder: Path) -> None:
    assert {answer.Status for answer in store(gateway, [*instances], folder)} == {0x0000}


def volumes(gateway: GatewayProcess, state: str = "all") -> list[dict[str, Any]]:
    return gateway.ask(f"/volumes?state={state}&limit=1000")


def kept_in_store(gateway: GatewayProcess) -> dict[str, bytes]:
    """Every instance of every verified volume, by the outside checker; none twice."""
    found: dict[str, bytes] = {}
    for volume in volumes(gateway, "verified"):
        contents = check(gateway.data / "store" / volume["key"])
        assert not found.keys() & contents.keys()
        assert len(contents) == volume["instances"]
        found |= contents
    return found


def is_kept(gateway: GatewayProcess, instances: Sequence[Instance], seconds: float = 30) -> bool:
    """Waits until all are in verified volumes; then exactly they are, byte for byte."""
    eventually(
        lambda: sum(one["instances"] for one in volumes(gateway, "verified")) >= len(instances), seconds,
        "all instances in verified volumes",
    )  # fmt: skip
    return kept_in_store(gateway) == {one.sop_instance: one.data_set for one in instances}


def test_a_study_becomes_a_volume_that_tar_and_sha256sum_can_read(another_gateway: Make, tmp_path: Path):
    gateway = another_gateway(settings=AT_ONCE)
    instances = study_of(6, series=2)
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    (volume,) = volumes(gateway)
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal's room is free")
    exported = tmp_path / "out.tar"
    gateway.kuva("volume", "export", volume["id"], "--to", str(exported))
    subprocess.run(["tar", "-xf", exported, "-C", tmp_path], check=True)
    for manifest in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        subprocess.run(["sha256sum", "--quiet", "-c", manifest], cwd=tmp_path / volume["id"], check=True)
    (shown,) = gateway.ask(f"/studies/{instances[0].study}")
    assert {name: shown["lifecycle"][name] for name in ("received", "planned", "stored", "verified", "committed")} == {
        "received": 6, "planned": 6, "stored": 6, "verified": 6, "committed": 0,
    }  # fmt: skip
    assert [(wait["turn"], wait["instances"]) for wait in shown["lifecycle"]["waits"]] == [("sender", 6)]
    assert gateway.kuva("volume", "show", volume["id"])["planned_because"] == "quiet"
    assert gateway.kuva("volume", "check", volume["id"])["findings"] == []


def fetched(gateway: GatewayProcess, study: str) -> dict[str, bytes]:
    responses, received = get(gateway, identifier("STUDY", StudyInstanceUID=study), [(CT, EXPLICIT)])
    assert responses[-1][0].Status == 0x0000
    return received


def test_what_is_in_a_volume_is_given_back_byte_for_byte_small_and_large(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE)
    small = ct()
    large = ct(
        study=small.study, series=small.series, side=1_500
    )  # beyond a range, and not a whole number of them
    instances = [small, large, *(ct(study=small.study, series=small.series) for _ in range(30))]
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal's room is free")
    assert fetched(gateway, small.study) == {one.sop_instance: one.data_set for one in instances}


def test_what_is_damaged_in_a_volume_is_not_given_out_and_kept_again_when_it_comes(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE)
    instances = study_of(3)
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal's room is free")
    (volume,) = volumes(gateway)
    path = gateway.data / "store" / volume["key"]
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(instances[1].data_set[-64:], bytes(64)))
    responses, received = get(
        gateway, identifier("STUDY", StudyInstanceUID=instances[0].study), [(CT, EXPLICIT)]
    )
    assert responses[-1][0].NumberOfFailedSuboperations == 1
    assert received == {one.sop_instance: one.data_set for one in (instances[0], instances[2])}
    eventually(lambda: gateway.ask("/volumes?damaged=yes"), 5, "the volume counts as damaged")
    (incident,) = gateway.ask("/incidents")
    assert (incident["kind"], incident["sop_uid"]) == ("damaged", instances[1].sop_instance)
    sent(gateway, instances, tmp_path)
    eventually(lambda: len(volumes(gateway, "verified")) == 2, 10, "another volume")
    assert fetched(gateway, instances[0].study) == {one.sop_instance: one.data_set for one in instances}
    eventually(lambda: gateway.ask("/incidents") == [], 40, "the incident ends by itself")


def test_a_resend_of_what_is_in_a_volume_keeps_nothing_even_after_a_restart(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE)
    instances = study_of(4)
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    for _ in range(2):
        sent(gateway, instances, tmp_path)
        assert gateway.ask("/journal")["counters"]["instances_identical"] == 4
        gateway.stop()
        gateway.start()
    assert gateway.ask("/journal")["space"]["live"] == 0
    assert is_kept(gateway, instances)


@pytest.mark.parametrize("point", KILL_POINTS)
def test_a_kill_at_any_stage_loses_nothing_and_doubles_nothing(
    another_gateway: Make, tmp_path: Path, point: str
):
    gateway = another_gateway(settings={"TEST_KILL_AT": point}, program=["-m", "tests.broken_keeping"])
    instances = study_of(5)
    sent(gateway, instances, tmp_path)
    eventually(lambda: "kuva_catalogued_total 5.0" in gateway.get("/metrics")[1], 10, "all landed")
    with suppress(CommandFailedError):  # it may be killed before it answers
        gateway.kuva("volume", "retry", instances[0].study)
    eventually(lambda: not gateway.running(), 20, f"the kill at {point}")
    assert gateway.wait() == -signal.SIGKILL
    gateway.program = ["-m", "gateway"]
    gateway.start()
    assert is_kept(gateway, instances)
    assert [one["state"] for one in volumes(gateway)] == ["verified"]
    eventually(lambda: len(_files(gateway)) == 1, 5, "leftovers are removed")
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 5, "the journal's room is free")
    sent(gateway, instances, tmp_path)
    assert gateway.ask("/journal")["counters"]["instances_identical"] == 5


def _files(gateway: GatewayProcess) -> list[Path]:
    """Of volumes: finished, or not."""
    return [path for path in (gateway.data / "store" / "volumes").rglob("*") if path.is_file()]


def test_what_is_rotten_in_the_journal_is_an_incident_and_all_else_is_kept(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE | {"VOLUMES__QUIET_SECONDS": "3"})
    instances = study_of(5)
    sent(gateway, instances, tmp_path)
    damage(gateway, instances[2], mended=True)
    whole = [one for one in instances if one is not instances[2]]
    assert is_kept(gateway, whole)
    (incident,) = gateway.ask("/incidents")
    assert (incident["kind"], incident["sop_uid"]) == ("damaged", instances[2].sop_instance)
    assert sorted(one["state"] for one in volumes(gateway)) == ["abandoned", "verified"]
    (shown,) = gateway.ask(f"/studies/{instances[0].study}")
    assert (shown["lifecycle"]["received"], shown["lifecycle"]["verified"]) == (5, 4)
    sent(gateway, [instances[2]], tmp_path)  # the rescue
    assert is_kept(gateway, instances)
    eventually(lambda: gateway.ask("/incidents") == [], 10, "the incident ends by itself")


def test_a_store_that_is_away_is_waited_for(another_gateway: Make, tmp_path: Path):
    gateway = another_gateway(settings=AT_ONCE, program=["-m", "tests.broken_keeping"])
    place = gateway.data / "store" / "volumes"
    place.write_text("no folder")
    instances = study_of(3)
    sent(gateway, instances, tmp_path)

    def waits() -> Any:
        return json.loads(gateway.get("/health")[1])["keeping"]["waits_for"]

    assert "volumes" in eventually(waits, 10)
    assert [one["state"] for one in volumes(gateway)] == ["planned"]
    (shown,) = gateway.ask(f"/studies/{instances[0].study}")
    assert [wait["turn"] for wait in shown["lifecycle"]["waits"]] == ["operator"]
    place.unlink()
    assert is_kept(gateway, instances)
    assert len(volumes(gateway)) == 1
    assert waits() is None


def test_a_check_finds_what_became_of_a_volume_and_nothing_rests_on_it_any_more(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE)
    instances = study_of(3)
    sent(gateway, instances, tmp_path)
    assert is_kept(gateway, instances)
    (volume,) = volumes(gateway)
    path = gateway.data / "store" / volume["key"]
    path.chmod(0o600)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CommandFailedError) as failed:
        gateway.kuva("volume", "check", volume["id"])
    assert failed.value.code == 3
    with pytest.raises(CommandFailedError):
        gateway.kuva("volume", "export", volume["id"], "--to", str(tmp_path / "bad.tar"))
    assert not [*tmp_path.glob("*bad*")]
    assert [one["id"] for one in gateway.kuva("volume", "list", "--damaged")] == [volume["id"]]
    sent(gateway, instances, tmp_path)
    assert gateway.ask("/journal")["counters"]["instances_identical"] == 0  # kept again


def test_a_quarantined_newcomer_that_nobody_resolves_is_set_aside_alone(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway(settings=AT_ONCE)
    one = ct()
    other = ct(study=one.study, series=one.series, sop_instance=one.sop_instance, pixels=b"\1" * 512)
    sent(gateway, [one], tmp_path)
    assert store(gateway, [other], tmp_path)[0].Status == 0xC0D1
    aside = eventually(
        lambda: [v for v in volumes(gateway, "verified") if v["kind"] == "quarantined"], 20, "set aside"
    )
    assert [volume["instances"] for volume in aside] == [1]
    assert check(gateway.data / "store" / aside[0]["key"]) == {other.sop_instance: other.data_set}
    eventually(lambda: gateway.ask("/journal")["space"]["live"] == 0, 10, "the journal's room is free")
    (incident,) = gateway.ask("/incidents")
    assert incident["difference"]
    (shown,) = gateway.ask(f"/studies/{one.study}")
    assert shown["lifecycle"]["verified"] == 1
    gateway.kuva("incident", "resolve", str(incident["id"]), "--discard", "--reason", "a test", "--by", "me")
    assert not (gateway.data / "store" / aside[0]["key"]).exists()
    told = gateway.ask(f"/volumes/{aside[0]['id']}")["damage"]
    assert told == f"discarded: incident {incident['id']}: a test (me)"
    assert fetched(gateway, one.study) == {one.sop_instance: one.data_set}


# --- a store that fails after success (P3) ------------------------------------------------------

FAULTY = AT_ONCE | {
    "TEST_STORE_FAULTS": "0.5", "VOLUMES__TRIES_MAX": "50", "VOLUMES__QUIET_SECONDS": "0.1",
}  # fmt: skip
STUDIES = 130


def _many(gateway: GatewayProcess, folder: Path) -> list[Instance]:
    instances = [one for _ in range(STUDIES) for one in study_of(2)]
    sent(gateway, instances, folder)
    return instances


@pytest.mark.parametrize("seed", [1, 2])
def test_a_store_that_lies_is_never_believed(another_gateway: Make, tmp_path: Path, seed: int):
    """Each volume is lost, cut, swapped, flipped or wrongly read with probability one half."""
    gateway = another_gateway(
        settings=FAULTY | {"TEST_STORE_SEED": str(seed)}, program=["-m", "tests.broken_keeping"]
    )
    instances = _many(gateway, tmp_path)
    assert is_kept(gateway, instances, 120)
    abandoned = volumes(gateway, "abandoned")
    assert len(abandoned) >= STUDIES // 4  # or nothing was tried
    assert all(one["reason"] for one in abandoned)


def test_without_reading_back_a_lying_store_would_be_believed(another_gateway: Make, tmp_path: Path):
    """The negative control of the tests above."""
    gateway = another_gateway(
        settings=FAULTY | {"TEST_STORE_SEED": "1", "TEST_SKIP_READ_BACK": "yes"},
        program=["-m", "tests.broken_keeping"],
    )
    instances = _many(gateway, tmp_path)
    with pytest.raises((AssertionError, OSError, ValueError, KeyError, tarfile.TarError)):
        assert is_kept(gateway, instances, 60)


def test_a_store_that_never_keeps_its_word_is_not_filled_up(another_gateway: Make, tmp_path: Path):
    gateway = another_gateway(
        settings=FAULTY | {"TEST_STORE_SEED": "3", "TEST_STORE_FAULTS": "1", "VOLUMES__TRIES_MAX": "3"},
        program=["-m", "tests.broken_keeping"],
    )
    instances = study_of(2)
    sent(gateway, instances, tmp_path)
    eventually(lambda: json.loads(gateway.get("/health")[1])["keeping"]["stopped"], 30, "it is stopped")
    assert [one["state"] for one in volumes(gateway)] == ["abandoned"] * 3
    (shown,) = gateway.ask(f"/studies/{instances[0].study}")
    assert "kuva volume retry" in shown["lifecycle"]["waits"][0]["what"]
    gateway.kuva("volume", "retry", instances[0].study)
    eventually(lambda: len(volumes(gateway)) >= 4, 10, "it is tried once more")
