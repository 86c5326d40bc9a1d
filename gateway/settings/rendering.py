"""Rendering: the settings in force as a documented `kuva.toml`."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from gateway.settings.values import SIZES, bytes_of, seconds_of


def fields_of(
    model: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every field that can be set, with its place, in the order of the classes."""
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from fields_of(info.annotation, (*above, name))
        elif not info.exclude:
            yield (*above, name), info


def render(settings: BaseModel) -> Iterator[str]:
    """Line by line; passwords are masked."""
    yield "# Kuvavaranto settings. Sizes: 4 GiB; durations: 30 s. The environment, KUVA_SECTION__KEY, wins."
    table: tuple[str, ...] = ()
    for place, info in fields_of(type(settings)):
        section: BaseModel = settings
        for part in place[:-1]:
            section = getattr(section, part)
        if place[:-1] != table:
            table = place[:-1]
            about = " ".join((type(section).__doc__ or "").split())
            yield from ("", f"# {about}", f"[{'.'.join(table)}]")
        yield from _render_field(place[-1], info, getattr(section, place[-1]))


def _render_field(name: str, info: FieldInfo, value: object) -> Iterator[str]:
    yield f"# {info.description}"
    written = _toml(_unit(value, info))
    yield f"# {name} = (not set)" if value is None else f"{name} = {written}"


def _unit(value: object, info: FieldInfo) -> object:
    validators = [m.func for m in info.metadata if isinstance(m, BeforeValidator)]
    if bytes_of in validators and isinstance(value, int):
        unit = max(
            (u for u in SIZES.items() if value and value % u[1] == 0), key=lambda u: u[1], default=("B", 1)
        )
        return f"{value // unit[1]} {unit[0].replace('IB', 'iB')}"
    if seconds_of in validators and isinstance(value, float):
        return f"{value:g} s"
    return value


def _toml(value: object) -> str:
    match value:
        case SecretStr():
            return _toml(_masked(value.get_secret_value()))
        case tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case int() | float():
            return str(value).lower()
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'


def _masked(dsn: str) -> str:
    parts = urlsplit(dsn)
    if parts.password is None:
        # A password may also stand in the query; show nothing that we do not understand.
        return (
            urlunsplit(parts._replace(query="", fragment="")) if parts.scheme and parts.netloc else "********"
        )
    user, host = parts.username or "", parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:********@{host}", query="", fragment=""))
