"""Mix-ups: found by what is kept on disk, whatever ends and starts in between; told once, to the operator only."""

import dataclasses
import shutil
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.foreign import store
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import Instance, ct, new_uid

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]


def of_patient(patient: bytes, **kwargs: Any) -> Instance:
    one = ct(**kwargs)
    return dataclasses.replace(one, data_set=one.data_set.replace(b"TEST-1", patient))


def send(gateway: GatewayProcess, one: Instance, folder: Path) -> None:
    """Until it is findable: mix-ups are told in the same transaction."""
    (answer,) = store(gateway, [one], folder)
    assert answer.Status == 0
    eventually(lambda: findable(gateway, one), 10)


def findable(gateway: GatewayProcess, one: Instance) -> bool:
    shown = gateway.kuva("study", "show", one.study, "--instances")
    return any(
        i["sop_instance"] == one.sop_instance for s in shown for r in s["series"] for i in r["instances"]
    )


def told(gateway: GatewayProcess) -> list[dict[str, Any]]:
    return gateway.kuva("incident", "list", "--state", "all")  # type: ignore[no-any-return]


def test_a_second_patient_and_a_series_in_two_studies_are_told_once_whatever_ends_in_between(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway()
    first = of_patient(b"TEST-1")
    send(gateway, first, tmp_path)
    send(gateway, of_patient(b"TEST-1", study=first.study, series=first.series), tmp_path)
    assert told(gateway) == []
    assert gateway.stop() == 0
    gateway.start()
    second = of_patient(b"TEST-2", study=first.study)
    send(gateway, second, tmp_path)
    apart = of_patient(b"TEST-1", series=first.series)
    send(gateway, apart, tmp_path)
    gateway.kill()
    gateway.start()
    send(gateway, of_patient(b"TEST-2", study=first.study, series=second.series), tmp_path)
    send(gateway, of_patient(b"TEST-1", study=apart.study, series=first.series), tmp_path)
    incidents = {one["kind"]: one for one in told(gateway)}
    assert len(told(gateway)) == 2
    assert incidents["second_patient"]["sop_uid"] == second.sop_instance
    assert incidents["cross_study_series"]["sop_uid"] == apart.sop_instance

    number = incidents["second_patient"]["id"]
    shown = gateway.kuva("incident", "show", str(number))
    assert shown["difference"] == [
        {"path": "(0010,0020)", "kind": "changed", "before": "TEST-1", "after": "TEST-2"}
    ]
    ended = gateway.kuva(
        "incident", "resolve", str(number), "--keep", "--reason", "same person", "--by", "me"
    )
    assert (ended["state"], ended["resolution"]) == ("resolved", "keep")
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.http_port}/metrics") as answer:
        assert b"TEST-" not in answer.read()
    assert "TEST-" not in gateway.log.read_text("utf-8")

    # A catalogue that is new learns of all of it again from the journal: and tells it, once each.
    assert gateway.stop() == 0
    shutil.rmtree(gateway.data / "postgresql")
    gateway.start()
    eventually(lambda: findable(gateway, second), 10)
    assert sorted(one["kind"] for one in eventually(lambda: told(gateway), 10)) == sorted(incidents)


def test_what_is_in_quarantine_names_nobody(another_gateway: Make, tmp_path: Path):
    gateway, study = another_gateway(), new_uid()
    first = of_patient(b"TEST-1", study=study)
    send(gateway, first, tmp_path)
    twin = of_patient(b"TEST-2", study=study, series=first.series, sop_instance=first.sop_instance)
    (answer,) = store(gateway, [twin], tmp_path)
    assert answer.Status == 0xC0D1
    assert [one["kind"] for one in eventually(lambda: told(gateway), 10)] == ["quarantine"]
