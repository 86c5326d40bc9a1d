"""The composition root: what it checks before anything starts."""

import pytest

from gateway.app import _check_schema
from gateway.catalogue.migrator import Migration
from gateway.errors import CatalogueSchemaError

PRE, POST = Migration(4, "pre", "more", ""), Migration(5, "post", "stricter", "")


def test_steps_for_when_no_older_program_runs_may_wait():
    _check_schema(())
    _check_schema((POST,))


@pytest.mark.parametrize("missing", [(PRE,), (PRE, POST), (POST, PRE)])
def test_steps_that_this_program_needs_may_not(missing: tuple[Migration, ...]):
    with pytest.raises(CatalogueSchemaError, match="kuva schema migrate"):
        _check_schema(missing)
