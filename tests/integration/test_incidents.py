"""Incidents: what a person decides is done, whatever crashes in between; what readers find is opened."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue.cluster import locate
from tests.damage import damage
from tests.foreign import get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]

KILLED = """
import os, signal
from gateway.journal import Journal

discard = Journal.discard

async def killed(self, newcomers, reason):
    {before}
    os.kill(os.getpid(), signal.SIGKILL)

Journal.discard = killed
"""
NEVER_PAID = """
from gateway.ingest.discarding import Discarder

async def never(self):
    pass

Discarder.pay_all = never
"""


def status(gateway: GatewayProcess, one: Instance, folder: Path) -> int:
    (answer,) = store(gateway, [one], folder)
    return int(answer.Status)


def twin_of(one: Instance, **kwargs: Any) -> Instance:
    return ct(study=one.study, series=one.series, sop_instance=one.sop_instance, **kwargs)


def incident(gateway: GatewayProcess, one: Instance, kind: str) -> dict[str, Any]:
    """The one incident of that kind, open or not."""

    def found() -> list[dict[str, Any]]:
        every = gateway.kuva("incident", "list", "--state", "all", "--kind", kind)
        return [i for i in every if i["sop_uid"] == one.sop_instance]

    (only,) = eventually(found, 10, f"a {kind} incident")
    return only  # type: ignore[no-any-return]


def held_apart(gateway: GatewayProcess) -> list[str]:
    """SOP instances in quarantine, as the journal has them."""
    return [entry["sop_instance"] for entry in journal(gateway) if entry["verdict"] == "quarantined"]


def journal(gateway: GatewayProcess) -> list[dict[str, Any]]:
    return gateway.kuva("journal", "show")["newest"]  # type: ignore[no-any-return]


def restart(gateway: GatewayProcess, script: str | None, folder: Path) -> None:
    if gateway.running():
        assert gateway.stop() == 0
    gateway.program = ["-m", "gateway"]
    if script is not None:
        program = folder / "gateway_changed.py"
        program.write_text(script + "\nfrom gateway.__main__ import main\nmain()\n")
        gateway.program = [str(program)]
    gateway.start()


def discard(gateway: GatewayProcess, number: int) -> Any:
    return gateway.kuva(
        "incident", "resolve", str(number), "--discard", "--reason", "sent by mistake", "--by", "test"
    )


@pytest.mark.parametrize("before", ["pass", "await discard(self, newcomers, reason)"])
def test_a_discard_that_was_decided_is_done_after_a_crash_before_or_after_the_journal_did_it(
    another_gateway: Make, tmp_path: Path, before: str
):
    gateway, kept = another_gateway(), ct()
    twin = twin_of(kept)
    restart(gateway, KILLED.format(before=before), tmp_path)
    assert [status(gateway, one, tmp_path) for one in (kept, twin)] == [0, 0xC0D1]
    number = incident(gateway, kept, "quarantine")["id"]
    with pytest.raises(CommandFailedError):
        discard(gateway, number)
    assert gateway.wait() == -9

    restart(gateway, NEVER_PAID, tmp_path)  # control: without payment at start it stays owed for ever
    assert held_apart(gateway) == ([kept.sop_instance] if before == "pass" else [])
    shown = gateway.kuva("incident", "show", str(number))
    assert (shown["resolution"], shown["resolved_by"], shown["discarded_at"]) == ("discard", "test", None)

    restart(gateway, None, tmp_path)
    assert held_apart(gateway) == []
    shown = gateway.kuva("incident", "show", str(number))
    assert shown["discarded_at"] is not None
    assert discard(gateway, number) == shown, "the same decision again is the same decision"
    assert status(gateway, twin, tmp_path) == 0xC0D1
    assert held_apart(gateway) == [kept.sop_instance], "sent again, it is held apart again"
    assert status(gateway, kept, tmp_path) == 0


@pytest.mark.parametrize("side", [16, 512])
def test_an_instance_found_damaged_when_it_is_read_becomes_one_incident(
    another_gateway: Make, tmp_path: Path, side: int
):
    gateway, one, sound = another_gateway(), ct(side=side), ct()
    assert [status(gateway, each, tmp_path) for each in (one, sound)] == [0, 0]
    wanted = identifier("STUDY", StudyInstanceUID=one.study)
    eventually(lambda: get(gateway, wanted, [(CT, EXPLICIT)])[1] == {one.sop_instance: one.data_set})
    assert gateway.kuva("incident", "list", "--state", "all") == []
    damage(gateway, one)
    for _ in range(2):
        assert get(gateway, wanted, [(CT, EXPLICIT)])[1] == {}, "never given out"
        assert incident(gateway, one, "damaged")["state"] == "open"
    other = identifier("STUDY", StudyInstanceUID=sound.study)
    assert get(gateway, other, [(CT, EXPLICIT)])[1] == {sound.sop_instance: sound.data_set}
    gateway.kill()  # a start would say rot, and stop


@pytest.mark.parametrize("choice", ["kept", "newcomer"])
def test_of_a_disputed_uid_the_chosen_content_is_the_instance_on_both_nodes(
    another_gateway: Make, tmp_path: Path, choice: str
):
    here = another_gateway()
    folder = locate(here.data / "postgresql").socket_folder
    there = another_gateway(f'[catalogue]\ndsn = "postgresql://kuva_gateway@/kuva?host={folder}"\n')
    there.kuva("ae", "add", "TESTSCU", "--vault", "demo")
    first = ct()
    both = {here: first, there: twin_of(first)}
    for gateway in both:  # the study opens on both before either has the instance
        assert status(gateway, ct(study=first.study, series=first.series), tmp_path) == 0
    assert [status(gateway, one, tmp_path) for gateway, one in both.items()] == [0, 0]
    dispute = incident(here, first, "dispute")
    chosen = (
        there if (dispute["receive_id"]["node"] == there.ready["node"]) == (choice == "newcomer") else here
    )
    other = here if chosen is there else there
    number = str(dispute["id"])
    with pytest.raises(CommandFailedError, match="may not end in"):
        other.kuva("incident", "resolve", number, "--keep", "--reason", "no such thing")
    words = (
        "incident",
        "resolve",
        number,
        "--prefer",
        choice,
        "--reason",
        "the modality's own",
        "--by",
        "test",
    )
    assert other.kuva(*words)["resolution"] == f"prefer_{choice}"

    wanted = identifier("IMAGE", StudyInstanceUID=first.study, SeriesInstanceUID=first.series,
                        SOPInstanceUID=first.sop_instance)  # fmt: skip
    fetched = lambda gateway: get(gateway, wanted, [(CT, EXPLICIT)])[1]  # noqa: E731
    assert fetched(chosen) == {first.sop_instance: both[chosen].data_set}
    assert fetched(other) == {}, "the wrong content is not given out, and the right one is not here"
    assert len([e for e in journal(other) if e["sop_instance"] == first.sop_instance]) == 1, "it is kept"

    for gateway in (other, chosen):
        assert status(gateway, both[other], tmp_path) == 0xC0D1
        assert status(gateway, both[chosen], tmp_path) == 0
    eventually(lambda: fetched(other) == {first.sop_instance: both[chosen].data_set}, 10)
    assert other.kuva("incident", "list", "--kind", "dispute") == [], "sent again, it is no new dispute"
