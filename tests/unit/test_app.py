"""The composition root: what it checks before anything starts."""

import resource
from collections.abc import Iterator

import pytest

from gateway.app import StartError, descriptors_needed, raise_descriptor_limit
from gateway.catalogue.migrator import Migration
from gateway.catalogue.opening import check_schema
from gateway.errors import CatalogueSchemaError
from gateway.settings import DicomSettings, Settings

PRE, POST = Migration(4, "pre", "more", ""), Migration(5, "post", "stricter", "")


def test_steps_for_when_no_older_program_runs_may_wait():
    check_schema(())
    check_schema((POST,))


@pytest.mark.parametrize("missing", [(PRE,), (PRE, POST), (POST, PRE)])
def test_steps_that_this_program_needs_may_not(missing: tuple[Migration, ...]):
    with pytest.raises(CatalogueSchemaError, match="kuva schema migrate"):
        check_schema(missing)


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_soft_limit_of_descriptors_is_raised_to_what_may_be_needed(limits: tuple[int, int]):
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    raise_descriptor_limit(300)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, limits[1])
    raise_descriptor_limit(200)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, limits[1])


def test_a_hard_limit_below_what_may_be_needed_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    with pytest.raises(StartError, match="allows 1024"):
        raise_descriptor_limit(2000)


def test_every_socket_that_may_be_open_is_counted():
    few, many = (Settings(dicom=DicomSettings(associations_max=number)) for number in (100, 200))
    assert descriptors_needed(many) - descriptors_needed(few) == 200
