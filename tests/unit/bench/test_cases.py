"""Cases: peers, bars and workloads of a measurement until the answer, and of one until committed."""

from gateway.bench.cases import cases, configured, default_peers, kit_for
from gateway.bench.kit import load_kit
from gateway.bench.workload import Until

KIT = load_kit()


def _configured(until: Until) -> list[tuple[str, str, int, bool]]:
    kit = kit_for(KIT, until)
    peers = [kit.peers[name] for name in default_peers(kit)]
    wanted = cases(kit, [], [], until, bars_only=False)
    found = configured(kit, peers, wanted, every_peer=until is Until.ANSWERED)
    return [(one.peer.name, one.workload.name, one.associations, one.peer.asked) for one in found]


def test_until_answered_nobody_is_asked_for_commitment():
    found = _configured(Until.ANSWERED)
    assert {peer for peer, *_ in found} == {"kuva", "orthanc", "storescp"}
    assert {workload for _, workload, *_ in found} == {"ct", "tiny", "multiframe"}
    assert not any(asked for *_, asked in found)


def test_until_committed_ours_is_asked_and_a_peer_is_there_only_where_a_bar_is_over_it():
    assert sorted(_configured(Until.COMMITTED)) == [
        ("kuva", "ct-sustained", 4, True), ("kuva", "study", 1, True), ("kuva", "study-beside", 1, True),
        ("orthanc", "ct-sustained", 4, False),
    ]  # fmt: skip


def test_the_bars_of_one_measurement_are_not_judged_in_the_other():
    answered, committed = (kit_for(KIT, until).bars for until in Until)
    assert {bar.workload for bar in answered} == {"ct", "tiny", "multiframe"}
    assert {bar.workload for bar in committed} == {"ct-sustained", "study", "study-beside"}
    assert len(answered) + len(committed) == len(KIT.bars)


def test_a_foreign_peer_that_reports_can_be_measured_until_its_reports_by_name():
    kit = kit_for(KIT, Until.COMMITTED)
    assert kit.peers["orthanc-committed"].asked
    assert "storescp-committed" not in kit.peers
