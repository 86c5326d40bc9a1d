"""Promise P3: over a store that fails after success, no storage commitment is ever a false success."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.peers import reactor_at_rest
from tests.commitment_peer import Scu
from tests.faulty_store import Fault
from tests.foreign import store
from tests.gateway_process import GatewayProcess
from tests.instances import Instance, study_of
from tests.outside_checker import OutsideChecker

pytestmark = pytest.mark.filterwarnings("ignore")

RUNS, CONTROL_RUNS, AT_ONCE = 500, 60, 5
CALLERS = {"PATIENT": "60", "HASTY": "0"}
"""Calling AE title -> parking seconds."""
WORKERS = 10
FAULTY = {
    "TEST_STORE_SEED": "1", "TEST_STORE_FAULTS": "0.5", "TEST_STORE_HARMS": ".tar",
    "VOLUMES__TRIES_MAX": "50", "VOLUMES__QUIET_SECONDS": "0.1", "VOLUMES__GATHER_SECONDS": "0.1",
}  # fmt: skip
REASONS = {0x0110, 0x0112, 0x0213}
AGAIN_SECONDS = 0.2
SECONDS_MAX = 60.0


@dataclass
class Asked:
    """What all callers were told."""

    first: dict[str, int] = field(default_factory=dict)
    """Study -> the failure reason that the first request for it had, if any."""
    reasons: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def failed(self, study: str, failed: dict[str, int]) -> None:
        with self.lock:
            self.reasons.update(failed.values())
            self.first.setdefault(study, next(iter(failed.values())))


def commit(caller: Scu, studies: Sequence[list[Instance]], folder: Path, asked: Asked) -> None:
    """Sends some studies, and asks for each, at once and until all of it is committed: as a careful modality."""
    answers = store(
        caller.gateway, [one for study in studies for one in study], folder, calling=caller.calling
    )
    assert {answer.Status for answer in answers} == {0x0000}
    with caller.associated() as association:
        for study in studies:
            pairs = [(one.sop_class, one.sop_instance) for one in study]
            deadline = time.monotonic() + SECONDS_MAX
            while True:
                assert time.monotonic() < deadline, "never committed"
                with reactor_at_rest(association):
                    transaction, status = caller.ask(association, pairs)
                assert status == 0x0000
                report = caller.report(SECONDS_MAX)
                assert report.transaction == transaction
                told = {uid for _, uid in report.committed} | report.failed.keys()
                assert told == {one.sop_instance for one in study}
                if not report.failed:
                    break
                asked.failed(study[0].study, report.failed)
                pairs = [pair for pair in pairs if pair[1] in report.failed]
                time.sleep(AGAIN_SECONDS)


@contextmanager
def checker(gateway: GatewayProcess, studies: Sequence[list[Instance]]) -> Iterator[OutsideChecker]:
    made = OutsideChecker(gateway.data, [one for study in studies for one in study])
    try:
        yield made
    finally:
        made.close()


def run(
    gateway: GatewayProcess, studies: Sequence[list[Instance]], outside: OutsideChecker, folder: Path
) -> Asked:
    """Many callers at once."""
    asked = Asked()
    for calling, seconds in CALLERS.items():
        gateway.kuva(
            "ae", "add", calling, "--vault", "north", "--parking-seconds", seconds, "--report-mode", "same"
        )
    portions = [studies[n : n + AT_ONCE] for n in range(0, len(studies), AT_ONCE)]

    def one(numbered: tuple[int, Sequence[list[Instance]]]) -> None:
        calling = [*CALLERS][numbered[0] % len(CALLERS)]
        commit(Scu(gateway, calling, outside.judge), numbered[1], folder, asked)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, enumerate(portions)))
    return asked


def harmed(gateway: GatewayProcess) -> dict[str, Fault]:
    """Key -> what the store did to it after success."""
    lines = (gateway.data / "harmed").read_text().splitlines()
    return {key: Fault(fault) for key, fault in (line.split() for line in lines)}


def volumes(outside: OutsideChecker) -> dict[str, tuple[str, str]]:
    """Key -> (state, study)."""
    rows = outside.fetch(
        "SELECT v.key, v.state, s.study_uid FROM kuva.volume v JOIN kuva.study s ON s.id = v.study"
    )
    return {row["key"]: (row["state"], row["study_uid"]) for row in rows}


@pytest.mark.parametrize("reads_back", [True, False], ids=["sound", "control"])
def test_p3_success_is_never_false_over_a_store_that_fails_after_success(
    another_gateway: Callable[..., GatewayProcess], tmp_path: Path, reads_back: bool
):
    """The control is the same archive, which believes its store: the checker must see it."""
    settings = FAULTY if reads_back else FAULTY | {"TEST_SKIP_READ_BACK": "yes"}
    gateway = another_gateway(settings=settings, program=["-m", "tests.broken_keeping"])
    studies = [study_of(2) for _ in range(RUNS if reads_back else CONTROL_RUNS)]
    with checker(gateway, studies) as outside:
        asked = run(gateway, studies, outside, tmp_path)
        known, hit = volumes(outside), harmed(gateway)
    (never_false if reads_back else caught)(studies, outside, known, hit)
    assert asked.reasons.keys() <= REASONS
    if reads_back:  # some were told so, and had another volume later
        given_up = {known[key][1] for key in hit}
        assert len(asked.first.keys() & given_up) >= RUNS // 20


def never_false(
    studies: Sequence[list[Instance]], outside: OutsideChecker, known: Any, hit: dict[str, Fault]
) -> None:
    assert outside.false == {}
    assert outside.true == {one.sop_instance for study in studies for one in study}
    assert min(Counter(hit.values())[fault] for fault in Fault) >= RUNS // 20  # or nothing was tried
    assert {known[key][0] for key in hit} == {"abandoned"}


def caught(
    studies: Sequence[list[Instance]], outside: OutsideChecker, known: Any, hit: dict[str, Fault]
) -> None:
    """Of a cut or flipped volume, only what hit an instance or its folder makes a success false."""
    false = {study[0].study for study in studies if study[0].sop_instance in outside.false}
    assert {known[key][1] for key, fault in hit.items() if fault in (Fault.LOSE, Fault.SWAP)} <= false
    assert false <= {known[key][1] for key in hit}
    assert len(false) >= CONTROL_RUNS // 10
