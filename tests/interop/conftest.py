"""One gateway for the run, one for a test that breaks it, and the foreign peers that are installed.

A peer that is not installed is skipped, and named at the end. With KUVA_TEST_NO_SKIP=1, as on CI, it fails.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway_process import GatewayProcess
from tests.interop.peers import PEERS

MISSING = {peer.name: peer.missing() for peer in PEERS}


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("peer"):
        missing = MISSING[mark.args[0]]
        if missing and os.environ.get("KUVA_TEST_NO_SKIP") == "1":
            pytest.fail(f"{mark.args[0]} is not installed: no {missing}", pytrace=False)
        if missing:
            pytest.skip(f"{mark.args[0]} is not installed: no {missing} (make interop-peers)")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which foreign peers are there."""
    there = [f"{peer.name} {peer.version()}" for peer in PEERS if not MISSING[peer.name]]
    absent = [name for name, missing in MISSING.items() if missing]
    terminalreporter.section("foreign peers")
    terminalreporter.write_line(f"installed: {', '.join(there)}")
    terminalreporter.write_line(
        f"not installed, so skipped (make interop-peers): {', '.join(absent) or 'none'}"
    )


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

    def make(config: str | None = None, **sizes: str) -> GatewayProcess:
        folder = tmp_path / f"gateway-{len(made)}"
        folder.mkdir()
        made.append(GatewayProcess(folder, config=config, **sizes).start())
        return made[-1]

    yield make
    for one in made:
        if one.running():
            one.kill()
        shutil.rmtree(one.data, ignore_errors=True)
