"""An outside checker of storage commitment: raw files of the store, and SQL. Nothing of ours in between."""

import asyncio
import hashlib
import json
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from gateway.catalogue.cluster import locate
from tests.commitment_peer import Report
from tests.instances import Instance
from tests.volume_checker import check

VERIFIED = """
SELECT v.id, v.key FROM kuva.volume v JOIN kuva.study s ON s.id = v.study
WHERE s.study_uid = $1 AND v.state = 'verified' AND v.damaged_at IS NULL"""


class OutsideChecker:
    """Judges each report at the moment when it comes; from any thread."""

    def __init__(self, data: Path, sent: Sequence[Instance]) -> None:
        """`data`: a running gateway's folder."""
        self._data, self._sent = data, {one.sop_instance: one for one in sent}
        self._facts: dict[Path, str | None] = {}
        self._lock, self._loop = threading.Lock(), asyncio.new_event_loop()
        self._connection = self._loop.run_until_complete(
            asyncpg.connect(
                host=str(locate(data / "postgresql").socket_folder), user="postgres", database="kuva"
            )
        )
        self.true: set[str] = set()
        """SOP instances that were reported as committed, and are what was sent."""
        self.false: dict[str, str] = {}
        """SOP instance -> why its success is none."""

    def close(self) -> None:
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def fetch(self, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        with self._lock:
            return self._loop.run_until_complete(self._connection.fetch(sql, *arguments))

    def judge(self, report: Report) -> int:
        """What to answer: always 0000H, for it is the archive that is judged."""
        for sop_class, uid in report.committed:
            try:
                self._prove(self._sent[uid], sop_class, report.transaction)
            except (AssertionError, OSError, ValueError, KeyError, tarfile.TarError) as error:
                self.false[uid] = f"{type(error).__name__}: {error}"
            else:
                self.true.add(uid)
        return 0x0000

    def _prove(self, sent: Instance, sop_class: str, transaction: str) -> None:
        assert sop_class == sent.sop_class
        rows = self.fetch(VERIFIED, sent.study)
        volumes = [
            row["id"]
            for row in rows
            if sent.sop_instance in (found := check(self._data / "store" / row["key"]))
            and _sha256(found[sent.sop_instance]) == _sha256(sent.data_set)
        ]
        assert volumes, f"not in any of {len(rows)} verified volumes"
        assert self._custody(transaction) & {*volumes}, "no fact of its custody is in the store"

    def _custody(self, transaction: str) -> set[str]:
        """The volumes that facts of this request name, from the files as they are now."""
        found: set[str] = set()
        with self._lock:
            for path in (self._data / "store" / "facts").glob("*/*.json"):
                if path not in self._facts:
                    self._facts[path] = _transaction(path)
                if self._facts[path] == transaction:
                    fact = json.loads(path.read_bytes())
                    assert (fact["kind"], fact["transaction_uid"]) == ("custody", transaction)
                    found |= {volume["volume"] for volume in fact["volumes"]}
        return found


def _transaction(fact: Path) -> str | None:
    """None: of no request, or unreadable, and then nothing rests on it."""
    try:
        return json.loads(fact.read_bytes()).get("transaction_uid")
    except ValueError:
        return None


def _sha256(content: Any) -> str:
    return hashlib.sha256(content).hexdigest()
