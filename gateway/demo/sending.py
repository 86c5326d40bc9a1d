"""Sending and fetching with foreign peers, which are threads, from the demo's event loop."""

import asyncio
import threading
import time
from collections.abc import Sequence

from gateway.demo import peers
from gateway.demo.compare import Comparison, Fetched
from gateway.demo.material import Sample
from gateway.demo.outcome import Outcome
from gateway.demo.peers import Address, Answer
from gateway.demo.telling import Telling

FINDABLE_SECONDS = 1.0
"""The promise: what was answered 0000H can be found a second later."""


async def send_all(address: Address, samples: Sequence[Sample], telling: Telling) -> tuple[Answer, ...]:
    """Sends over one association after the other; every sample has an answer."""
    answers: list[Answer] = []
    with telling.progress("sending", len(samples)) as step:

        def heard(answer: Answer) -> None:
            answers.append(answer)
            step.done()

        await asyncio.to_thread(peers.store, address, samples, heard=heard, stop=threading.Event())
    return tuple(answers)


async def fetch_and_compare(
    address: Address, kept: Sequence[Sample], telling: Telling, *, title: str, possible: Sequence[Sample] = ()
) -> Outcome:
    """Waits for the promised second, fetches the studies of `kept` whole, and compares every data set."""
    await asyncio.sleep(FINDABLE_SECONDS)
    comparison = Comparison(kept, possible=possible)
    began = time.monotonic()
    with telling.progress("fetching", len(kept)) as step:

        def arrived(fetched: Fetched) -> None:
            comparison.take(fetched)
            step.done()

        complaints = await asyncio.to_thread(peers.fetch, address, kept, arrived=arrived)
    seconds = time.monotonic() - began
    findings = (*complaints, *(str(m) for m in comparison.mismatches()))
    return Outcome(title, comparison.instances, comparison.length, seconds, seconds, findings)
