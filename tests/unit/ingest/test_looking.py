"""Looking: again when it is called for, also during a look, and whatever error a look met."""

import asyncio

import pytest
import structlog.testing

from gateway.errors import CatalogueUnavailableError
from gateway.ingest.looking import Looking


@pytest.mark.parametrize("error", [None, CatalogueUnavailableError("away"), ValueError("defect")])
async def test_it_looks_at_once_and_again_for_a_kick_that_came_during_a_look(error: Exception | None):
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks < 3:
            looking.kick()
        if error is not None:
            raise error

    looking = Looking(look, "cannot look now")
    with structlog.testing.capture_logs() as lines:
        running = asyncio.ensure_future(looking.run())
        await asyncio.sleep(0.05)
        assert not running.done()
        running.cancel()
    assert looks == 3
    assert [line["event"] for line in lines] == ["cannot look now"] * (3 if error else 0)


async def test_what_is_no_error_of_ours_ends_it():
    async def look() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Looking(look, "").run()
