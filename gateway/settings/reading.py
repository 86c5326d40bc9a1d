"""Reading: a file and the environment become settings, or findings with the place of each fault."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import SettingsError as UnreadableEnvironmentError

from gateway.errors import SettingsError
from gateway.settings.names import nearest
from gateway.settings.rendering import fields_of
from gateway.settings.whole import ENV_PREFIX, Settings

_FILE_LENGTH_MAX = 1 << 20
_FINDINGS_MAX = 50
_ENV_FOR_TESTS = "KUVA_TEST_"


def load(path: Path | None) -> Settings:
    """Reads `path` (None: nothing is configured) and the environment, and validates the whole.

    Raises `SettingsError` with one finding per fault, each with its place and, for an unknown key, the
    nearest known name.
    """
    text = _read(path) if path is not None else ""
    _refuse_unknown_environment(os.environ)
    try:
        settings = Settings(**{**_parse(path, text), "configured": path is not None})
    except ValidationError as error:
        raise SettingsError(tuple(_findings(path, text, error))) from None
    except UnreadableEnvironmentError as error:
        raise SettingsError((f"environment: {error}; lists are written as JSON",)) from None
    settings = settings.model_copy(update={"data": settings.data.expanduser().absolute()})
    settings.check()
    return settings


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_LENGTH_MAX + 1)
    except (OSError, ValueError) as error:
        raise SettingsError(
            (f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}",)
        ) from None
    if len(content) > _FILE_LENGTH_MAX:
        raise SettingsError((f"{path}: longer than 1 MiB; this is no settings file",))
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError((f"{path}:{line}: not UTF-8; save the file in that encoding",)) from None


def _parse(path: Path | None, text: str) -> dict[str, Any]:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"{path}: not TOML: {error}",)) from None
    except RecursionError:
        raise SettingsError((f"{path}: nested too deeply",)) from None
    if "configured" in parsed:
        raise SettingsError((f"{path}:{_line_of(text, ('configured',))}: configured: unknown key",))
    return parsed


def _refuse_unknown_environment(environment: Mapping[str, str]) -> None:
    known = {ENV_PREFIX + "__".join(place).upper() for place, _ in fields_of(Settings)}
    known |= {ENV_PREFIX + name.upper() for name in Settings.model_fields if name != "configured"}
    unknown = [
        n
        for n in environment
        if n.startswith(ENV_PREFIX) and n not in known and not n.startswith(_ENV_FOR_TESTS)
    ]
    if unknown:
        raise SettingsError(
            tuple(f"environment: {name}: unknown variable{nearest(name, known)}" for name in sorted(unknown))
        )


def _findings(path: Path | None, text: str, error: ValidationError) -> Iterator[str]:
    details = error.errors(include_url=False, include_input=False)
    for detail in details[:_FINDINGS_MAX]:
        yield _finding(path, text, detail)
    if len(details) > _FINDINGS_MAX:
        yield f"{path}: {len(details) - _FINDINGS_MAX} more"


def _finding(path: Path | None, text: str, detail: ErrorDetails) -> str:
    place = tuple(str(part) for part in detail["loc"])
    where = _where(path, text, place)
    if detail["type"] == "extra_forbidden":
        return f"{where}: {'.'.join(place)}: unknown key{nearest(place[-1], _names_at(place[:-1]))}"
    message = _PLAINER.get(detail["type"], detail["msg"].removeprefix("Value error, "))
    return f"{where}: {'.'.join(place)}: {message}"


_PLAINER = {
    "model_type": "a table is wanted: [name], and its keys below",
    "tuple_type": 'a list is wanted: ["one", "two"]',
    "string_type": "a text is wanted, in quotes",
    "path_type": "a path is wanted, in quotes",
}


def _where(path: Path | None, text: str, place: tuple[str, ...]) -> str:
    names = {ENV_PREFIX + "__".join(place[:depth]).upper() for depth in range(1, len(place) + 1)}
    if path is None or names & os.environ.keys():
        return "environment"
    line = _line_of(text, place)
    return f"{path}:{line}" if line else str(path)


def _names_at(place: tuple[str, ...]) -> set[str]:
    model: type[BaseModel] = Settings
    for part in place:
        model = cast("type[BaseModel]", model.model_fields[part].annotation)
    return set(model.model_fields) - {"configured"}


def _line_of(text: str, place: tuple[str, ...]) -> int:
    """The line on which a key (or its table) stands, counted from 1; 0 if it is not in the text."""
    table: tuple[str, ...] = ()
    found = 0
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table = tuple(part.strip(" \t\"'") for part in header[1].split("."))
            here = table
        elif key := re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line):
            here = (*table, *(part.strip("\"'") for part in key[1].split(".")))
        else:
            continue
        if here == place[: len(here)] and here:
            found = number
    return found
