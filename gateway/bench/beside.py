"""Beside: a second load, which runs while another one is measured, and is stopped with it."""

import threading
from typing import Self

from gateway.bench.failure import RunFailedError
from gateway.bench.load import Answered, Load

NOTHING = Answered(seconds=0.0, stored=0, length=0, latencies=(), problems=())


class Beside:
    """A load in a thread of its own; or none."""

    def __init__(self, load: Load | None) -> None:
        self._load = load
        self._thread = threading.Thread(target=self._run, name="load beside")
        self._answered: Answered | None = None
        self._trouble = "the load beside did not end"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._load is not None:
            self._load.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def cpu_seconds(self) -> float:
        """Of its generator so far."""
        return self._load.cpu_seconds if self._load is not None else 0.0

    def begin(self) -> None:
        """Starts its clock."""
        if self._load is not None:
            self._thread.start()

    def end(self) -> Answered:
        """Stops it, and waits for its last answer and report. Raises `RunFailedError`."""
        if self._load is None:
            return NOTHING
        self._load.stop()
        self._thread.join()
        if self._answered is None:
            raise RunFailedError(self._trouble)
        return self._answered

    def _run(self) -> None:
        assert self._load is not None
        try:
            self._answered = self._load.run()
        except RunFailedError as error:
            self._trouble = f"the load beside: {error}"
