"""The foreign peers, against a small archive that is foreign too."""

import threading

import pytest

from gateway.demo import peers
from gateway.demo.compare import Comparison
from gateway.demo.made import made
from gateway.demo.material import Sample
from gateway.demo.peers import Address, Answer, PeerError, by_contexts
from tests.unit.demo.archive import Archive, listening


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return list(made(tmp_path_factory.mktemp("made")))[:20]


def store(address: Address, samples: list[Sample]) -> list[Answer]:
    answers: list[Answer] = []
    peers.store(address, samples, heard=answers.append, stop=threading.Event())
    return answers


def test_data_sets_are_sent_byte_for_byte(samples: list[Sample]) -> None:
    archive = Archive()
    with listening(archive, *{s.sop_class for s in samples}) as address:
        answers = store(address, samples)
    assert all(answer.acknowledged for answer in answers)
    for sample in samples:
        assert archive.kept[sample.sop_instance] == (
            sample.sop_class,
            sample.transfer_syntax,
            sample.data_set(),
        )


def test_refusals_and_contexts_not_accepted_are_told_apart(samples: list[Sample]) -> None:
    refused = samples[0].sop_instance
    archive = Archive(answer=lambda uid: 0xC000 if uid == refused else 0x0000)
    with listening(archive, samples[0].sop_class) as address:
        first, second, *_ = store(address, samples[:2])
    assert (first.status, first.negotiated) == (0xC000, True)
    assert (second.status, second.negotiated, second.acknowledged) == (None, False, False)


def test_what_is_fetched_is_compared_and_a_changed_archive_is_noticed(samples: list[Sample]) -> None:
    series = [s for s in samples if "/ct-" in s.name and s.transfer_syntax == "1.2.840.10008.1.2.1"]
    archive = Archive()
    with listening(archive, series[0].sop_class) as address:
        store(address, series)
        honest = Comparison(series)
        assert peers.fetch(address, series, arrived=honest.take) == ()
        uid = series[0].sop_instance
        sop_class, syntax, data_set = archive.kept[uid]
        archive.kept[uid] = (sop_class, syntax, data_set[:-1] + bytes([data_set[-1] ^ 1]))
        dishonest = Comparison(series)
        peers.fetch(address, series, arrived=dishonest.take)
    assert honest.mismatches() == ()
    assert [m.sop_instance for m in dishonest.mismatches()] == [uid]


def test_nobody_listening_is_an_error(samples: list[Sample]) -> None:
    with pytest.raises(PeerError):
        store(Address("127.0.0.1", 9), samples[:1])


def test_no_association_has_too_many_contexts(samples: list[Sample]) -> None:
    from dataclasses import replace

    many = [replace(samples[0], sop_class=f"1.2.{n}", study=f"1.3.{n // 2}") for n in range(301)]
    for whole_studies in (False, True):
        groups = list(by_contexts(many, whole_studies=whole_studies))
        assert [s for group in groups for s in group] == many
        assert all(len({(s.sop_class, s.transfer_syntax) for s in group}) <= 120 for group in groups)
    for group in groups[:-1]:
        assert group[-1].study not in {s.study for other in groups if other is not group for s in other}


def test_an_association_that_is_broken_off_costs_one_sample_only(samples: list[Sample]) -> None:
    archive = Archive(aborting=samples[3].sop_instance)
    with listening(archive, *{s.sop_class for s in samples}) as address:
        answers = store(address, samples[:8])
    assert [answer.acknowledged for answer in answers] == [True, True, True, False, True, True, True, True]
    assert (answers[3].status, answers[3].negotiated) == (None, True)


def test_a_fetch_that_is_broken_off_ends_with_its_first_study(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "TIMEOUT_SECONDS", 1.0)
    of_two_studies = [samples[0], samples[-1]]
    assert samples[0].study != samples[-1].study
    archive = Archive(aborting="whatever is fetched")
    with listening(archive, *{s.sop_class for s in samples}) as address:
        (finding,) = peers.fetch(address, of_two_studies, arrived=lambda _: None)
    assert samples[0].study in finding
