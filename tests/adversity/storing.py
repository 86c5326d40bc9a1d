"""Storing what may be refused, and looking at what was kept."""

import typer

from gateway.cli.asking import ask
from tests.adversity.conftest import Left
from tests.adversity.data_sets import SOP_INSTANCE, element
from tests.adversity.peer import HostilePeer
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import Instance

CANNOT_UNDERSTAND, MISMATCH, CONFLICT = 0xC000, 0xA900, 0xC0D1


def refused(hostile: HostilePeer, instance: Instance, data_set: bytes, status: int) -> str:
    """Stores over a new association and expects this status; its comment, which never quotes a value."""
    hostile.established((1, instance.sop_class, [instance.transfer_syntax]))
    answer = hostile.store(instance, data_set)
    assert f"{answer.status:04X}" == f"{status:04X}", answer
    assert 0 < len(answer.comment) <= 64
    assert "TEST-1" not in answer.comment
    return answer.comment


def kept(hostile: HostilePeer, left: Left, instance: Instance, data_set: bytes) -> None:
    hostile.established((1, instance.sop_class, [instance.transfer_syntax]))
    answer = hostile.store(instance, data_set)
    assert answer.status == 0, answer
    left.kept += 1


def flags_of(gateway: GatewayProcess, instance: Instance) -> list[str]:
    """The content rules that a kept instance broke, as `kuva study show` tells them."""

    shown = eventually(lambda: instances_of(gateway, instance.study, 1), 10, "the study being findable")
    return next(one["flags"] for one in shown if one["sop_instance"] == instance.sop_instance)


def instances_of(gateway: GatewayProcess, study: str, many: int) -> list[dict] | None:
    """The instances of a study, as `kuva study show` tells them, once there are so many."""
    try:
        shown = ask(gateway.data, f"/studies/{study}")
    except typer.Exit:  # not findable yet
        return None
    found = [one for vault in shown for series in vault["series"] for one in series["instances"]]
    return found if len(found) == many else None


def image_of(one: Instance, sop_instance: bytes) -> bytes:
    """The data set of `one` with another element for its SOP Instance UID."""
    own = element(SOP_INSTANCE, "UI", one.sop_instance)
    assert one.data_set.count(own) == 1
    return one.data_set.replace(own, sop_instance)
