"""Asked and answered: what the operator's doors have in common, JSON over HTTP with errors in plain words."""

import base64
import uuid
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

import orjson
from aiohttp import web

from gateway.errors import (
    CatalogueError,
    GatewayError,
    GrantError,
    GrantOverlapError,
    LocalError,
    NotDiscardableError,
    NotFoundError,
    ResolutionError,
    UnavailableError,
)
from gateway.model.identifiers import StudyUid, parse_received_uid

_Member = TypeVar("_Member", bound=Enum)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestError(GatewayError):
    """What the command asked for makes no sense; it is told why."""


async def body_of(request: web.Request) -> dict[str, object]:
    """The JSON object that came with it. Raises `RequestError`."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise RequestError(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise RequestError("a JSON object is expected")
    return body


def text_of(body: dict[str, object], name: str) -> str:
    """The text of that name; empty if there is none. Nothing else is made into a text."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f"{name[:40]} is a text")
    return value


def number(text: str | None, default: int = 0) -> int:
    """A number, not negative. Raises `RequestError`."""
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 18:
        raise RequestError(f"not a number: {text[:20]!r}")
    return int(text)


def study_uid_of(text: str) -> StudyUid:
    """The study asked for. Raises `RequestError` for what no study can be called."""
    try:
        return StudyUid(parse_received_uid(text))
    except ValueError as error:
        raise RequestError(str(error)) from None


def enum_of(kind: type[_Member], value: str) -> _Member:
    """The member of that value. Raises `RequestError`, which names those that there are."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise RequestError(f"{value[:40]!r}: there is {known}") from None


def answer(body: object, status: int = 200) -> web.Response:
    """Whatever it is, as JSON."""
    data = orjson.dumps(body, default=_shown, option=orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=data, status=status, content_type="application/json")


def _shown(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)  # a subclass of the database driver's
    if isinstance(value, bytes):
        return base64.b16encode(value).decode().lower()
    raise TypeError(type(value).__name__)


@web.middleware
async def plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our errors as words: 400 the command was wrong, 409 it may not be; a defect stays 500."""
    try:
        return await handler(request)
    except NotFoundError as error:
        return answer({"error": str(error)}, 404)
    except GrantOverlapError as error:
        return answer({"error": str(error)}, 409)
    except (RequestError, GrantError) as error:
        return answer({"error": str(error)}, 400)
    except (ResolutionError, NotDiscardableError) as error:
        return answer({"error": str(error)}, 409)
    except UnavailableError as error:
        return answer({"error": str(error)}, 503)
    except (CatalogueError, LocalError, GatewayError) as error:
        return answer({"error": str(error)}, 500)
