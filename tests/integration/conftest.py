"""One gateway for the run, and one for a test that breaks it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway_process import GatewayProcess


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A running gateway that nobody stops."""
    started = GatewayProcess(tmp_path_factory.mktemp("gateway"), journal="512 MiB").start()
    yield started
    started.stop()


@pytest.fixture
def another_gateway(tmp_path: Path) -> Iterator[Callable[..., GatewayProcess]]:
    """Makes gateways of one's own; they are ended with the test."""
    made: list[GatewayProcess] = []

    def make(config: str | None = None, **more: Any) -> GatewayProcess:
        folder = tmp_path / f"gateway-{len(made)}"
        folder.mkdir()
        made.append(GatewayProcess(folder, config=config, **more).start())
        return made[-1]

    yield make
    for one in made:
        if one.running():
            one.kill()
        shutil.rmtree(one.data, ignore_errors=True)
