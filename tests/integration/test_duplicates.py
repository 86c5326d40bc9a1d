"""Resends: identical, conflicting, equivalent."""

from pathlib import Path

import pytest

from tests.foreign import get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, Instance, ct, reencoded, study_of

pytestmark = pytest.mark.filterwarnings("ignore")


def statuses(gateway: GatewayProcess, instances: list[Instance], folder: Path) -> list[int]:
    return [answer.Status for answer in store(gateway, instances, folder)]


def incidents(gateway: GatewayProcess, one: Instance, state: str = "open") -> list[dict[str, object]]:
    return [i for i in gateway.kuva("incident", "list", "--state", state) if i["sop_uid"] == one.sop_instance]


def test_a_resend_is_acknowledged_and_writes_nothing_new(gateway: GatewayProcess, tmp_path: Path):
    study = study_of(5)
    assert statuses(gateway, study, tmp_path) == [0] * 5
    before = gateway.kuva("journal", "show")
    assert statuses(gateway, study, tmp_path) == [0] * 5
    after = gateway.kuva("journal", "show")
    assert after["space"]["live"] == before["space"]["live"]
    assert after["counters"]["instances_kept"] == before["counters"]["instances_kept"]
    assert after["counters"]["instances_identical"] == before["counters"]["instances_identical"] + 5


def test_a_conflicting_twin_is_refused_and_its_difference_is_shown(gateway: GatewayProcess, tmp_path: Path):
    kept = ct(name="Meikäläinen^Matti")
    twin = ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance, name="Virtanen^Maija")
    assert statuses(gateway, [kept], tmp_path) == [0]
    assert statuses(gateway, [twin], tmp_path) == [0xC0D1]

    def compared() -> dict[str, object] | None:
        found = incidents(gateway, kept)
        return found[0] if found and found[0]["difference"] is not None else None

    incident = eventually(compared, 10, "the comparison")
    assert incident["kind"] == "quarantine"
    assert "(0010,0010)" in {item["path"] for item in incident["difference"]}
    _, received = get(gateway, identifier("STUDY", StudyInstanceUID=kept.study), [(CT, EXPLICIT)])
    assert received == {kept.sop_instance: kept.data_set}
    shown = gateway.kuva("incident", "show", str(incident["id"]), plain=True)
    assert "(0010,0010)" in shown

    number = str(incident["id"])
    with pytest.raises(CommandFailedError, match="keep"):
        gateway.kuva("incident", "resolve", number, "--keep", "--reason", "no such thing", "--by", "test")
    resolved = gateway.kuva(
        "incident", "resolve", number, "--discard", "--reason", "sent by mistake", "--by", "test"
    )
    assert (resolved["resolution"], resolved["resolution_reason"]) == ("discard", "sent by mistake")
    assert incidents(gateway, kept) == []
    assert gateway.kuva("incident", "show", number)["resolved_by"] == "test"


def test_an_equivalent_twin_resolves_itself_and_its_resend_is_acknowledged(
    gateway: GatewayProcess, tmp_path: Path
):
    kept = ct(transfer_syntax=EXPLICIT)
    twin = reencoded(kept, IMPLICIT)
    assert twin.data_set != kept.data_set
    assert statuses(gateway, [kept], tmp_path) == [0]
    assert statuses(gateway, [twin], tmp_path) == [0xC0D1]
    eventually(
        lambda: [i for i in incidents(gateway, kept, "resolved") if i["resolution"] == "equivalent"], 10
    )
    assert statuses(gateway, [twin], tmp_path) == [0]
    _, received = get(
        gateway, identifier("STUDY", StudyInstanceUID=kept.study), [(CT, EXPLICIT), (CT, IMPLICIT)]
    )
    assert received == {kept.sop_instance: kept.data_set}
