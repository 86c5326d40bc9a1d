"""Cases: which peers and workloads a measurement has, by what it is measured until."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.bench import results
from gateway.bench.kit import Kit, chosen
from gateway.bench.measuring import Configuration
from gateway.bench.peer import Kind, Peer
from gateway.bench.workload import Until, Workload


def kit_for(kit: Kit, until: Until) -> Kit:
    """The peers and bars of such a measurement."""
    bars = tuple(
        bar
        for bar in kit.bars
        if bar.workload in kit.workloads and kit.workloads[bar.workload].until is until
    )
    if until is Until.ANSWERED:
        return replace(kit, bars=bars)
    found: dict[str, Peer] = {}
    for name, peer in kit.peers.items():
        if peer.kind is Kind.KUVA:
            found[name] = peer.committing(name)
            continue
        found[name] = replace(peer, title=f"{peer.title}, until answered")
        if peer.reports:
            found[f"{name}-committed"] = peer.committing(f"{name}-committed")
    return replace(kit, bars=bars, peers=found)


def barred(kit: Kit, peer: Peer, case: tuple[Workload, int]) -> bool:
    """Whether a bar measures ours over this peer in the case."""
    return any(
        (bar.over, bar.workload, bar.associations) == (peer.name, case[0].name, case[1]) for bar in kit.bars
    )


def cases(
    kit: Kit, workloads: list[str], associations: list[int], until: Until, bars_only: bool
) -> list[tuple[Workload, int]]:
    """Those asked for, else those that such a measurement has; `bars_only`: of them those with a bar."""
    with_bar = {(bar.workload, bar.associations) for bar in kit.bars}
    usual = [name for name, workload in kit.workloads.items() if workload.until is until]
    return [
        (workload, number)
        for workload in chosen("workload", kit.workloads, workloads or usual)
        for number in associations or workload.associations
        if not bars_only or (workload.name, number) in with_bar
    ]


def default_peers(kit: Kit) -> list[str]:
    """Ours first. Those whose bars are over their answers alone are not measured twice."""
    return sorted(
        (name for name, peer in kit.peers.items() if not peer.asked or name == results.OURS),
        key=lambda name: (name != results.OURS, name),
    )


def configured(
    kit: Kit, peers: Sequence[Peer], wanted: Sequence[tuple[Workload, int]], *, every_peer: bool
) -> list[Configuration]:
    """Case by case. Unless every peer is wanted: those that are asked for commitment, and those that a bar is
    over."""
    return [
        Configuration(peer, *case)
        for case in wanted
        for peer in peers
        if every_peer or peer.asked or barred(kit, peer, case)
    ]
