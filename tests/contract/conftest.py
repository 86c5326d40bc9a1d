"""A catalogue of its own for each test, on every server that is installed."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.catalogue import Catalogue
from tests.catalogue_samples import verify
from tests.postgresql import KINDS, Base, Server, running


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=KINDS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with running(request.param) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def base(server: Server) -> AsyncIterator[Base]:
    name = await server.new_database()
    catalogue = await Catalogue.open(server.address("kuva_gateway", name), verify, query_seconds_max=10.0)
    try:
        yield Base(server, name, catalogue)
    finally:
        await catalogue.close()
        await server.drop_database(name)


@pytest.fixture
def catalogue(base: Base) -> Catalogue:
    return base.catalogue
