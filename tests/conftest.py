"""What all tests share: hypothesis profiles, and a temporary folder of the run's own."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "moderate", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", parent=settings.get_profile("moderate"), max_examples=5_000)
settings.load_profile(os.environ.get("KUVA_TEST_HYPOTHESIS", "moderate"))

OWN_FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Pytest's own folder is shared by all runs of a user, and each run takes its rights away from others.

    An embedded PostgreSQL below it, which runs as somebody else where we are root, then fails at random.
    """
    if config.option.basetemp is None:
        config.stash[OWN_FOLDER] = folder = Path(tempfile.mkdtemp(prefix="kuva-tests-"))
        config.option.basetemp = str(folder / "run")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After a failure the folder stays, to be looked at."""
    folder = session.config.stash.get(OWN_FOLDER, None)
    if folder is not None and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        shutil.rmtree(folder, ignore_errors=True)
