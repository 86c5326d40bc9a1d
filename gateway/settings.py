"""Settings: few, typed, read once, validated whole before anything starts."""

import difflib
import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import parse_qs, urlsplit, urlunsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableEnvironmentError

from gateway.errors import SettingsError

_SIZES = {"B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 6.2, VR AE: no backslash, no control characters
_UID = re.compile(r"(?=.{1,64}\Z)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+")
_FILE_LENGTH_MAX = 1 << 20
JOURNAL_SEGMENTS_MAX = 65_536
"""As many as the journal's roster can name (docs/design/journal-format.md)."""
_FINDINGS_MAX = 50
_ENV_PREFIX = "KUVA_"
_ENV_FOR_TESTS = "KUVA_TEST_"
NAMED_AT_MOST = 40
"""Known names that a message still lists."""


def _number_of(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")  # noqa: TRY004 - pydantic reports ValueError
    return value


def _quantity(value: object, units: Mapping[str, float], example: str) -> object:
    if not isinstance(value, str):
        return _number_of(value)
    match = _QUANTITY.fullmatch(value)
    factor = units.get(match[2]) if match else None
    if match is None or factor is None:
        raise ValueError(f"write it like {example!r}; units: {', '.join(u for u in units if u)}")
    return float(match[1]) * factor


def _bytes_of(value: object) -> object:
    upper = value.upper() if isinstance(value, str) else value
    amount = _quantity(upper, {"": 1, **_SIZES}, "64 MiB")
    return int(amount) if isinstance(amount, float) and amount.is_integer() else amount


def _seconds_of(value: object) -> object:
    return _quantity(value, {"": 1.0, **_DURATIONS}, "30 s")


def _ae_title_of(value: object) -> object:
    if isinstance(value, str) and not (_AE_TITLE.fullmatch(value) and value == value.strip(" ")):
        raise ValueError(
            "an AE title has 1 to 16 characters, no backslash, no space at either end (PS3.5 6.2)"
        )
    return value


def _uid_of(value: object) -> object:
    if isinstance(value, str) and not _UID.fullmatch(value):
        raise ValueError("not a UID (PS3.5 9.1)")
    return value


def _host_of(value: object) -> object:
    if isinstance(value, str) and not (_is_address(value) or _HOST_NAME.fullmatch(value)):
        raise ValueError("neither an IP address nor a host name")
    return value


def _path_of(value: Path) -> Path:
    if "\0" in str(value):
        raise ValueError("no path holds a NUL character")
    return value


def _dsn_of(value: SecretStr) -> SecretStr:
    """Looks at the form only, and quotes nothing: a password may stand anywhere in it."""
    try:
        parts = urlsplit(value.get_secret_value())
        good = parts.scheme in ("postgresql", "postgres") and len(parts.path) > 1
        _ = parts.query and parse_qs(parts.query, strict_parsing=True)
        _ = "," in parts.netloc or parts.port  # asks urlsplit; several hosts have a port each
    except ValueError:
        good = False
    if not good:
        raise ValueError(
            "write it like 'postgresql://user:password@host:5432/database'; "
            "percent-encode what has a meaning in a URL"
        )
    return value


Bytes = Annotated[int, BeforeValidator(_bytes_of), Field(ge=0)]
"""A size in bytes; "4 GiB", "64 MiB" or a number."""
Seconds = Annotated[float, BeforeValidator(_seconds_of), Field(gt=0, allow_inf_nan=False)]
"""A duration in seconds; "30 s", "10 min" or a number."""
Number = Annotated[int, BeforeValidator(_number_of)]
Host = Annotated[str, BeforeValidator(_host_of)]
Port = Annotated[int, BeforeValidator(_number_of), Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose, for tests."""
Dsn = Annotated[SecretStr, AfterValidator(_dsn_of)]
"""A postgresql:// URL, with the database named."""
AeTitleText = Annotated[str, BeforeValidator(_ae_title_of)]
UidText = Annotated[str, BeforeValidator(_uid_of)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeSettings(_Section):
    """This node among others."""

    name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name for people; the node's id is kept in the data folder.",
    )


class DicomSettings(_Section):
    """Where and how DICOM is spoken (PS3.8)."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback only, unless this file says otherwise.",
    )
    port: Port = Field(default=11112, description="TCP port.")
    ae_titles: tuple[AeTitleText, ...] = Field(
        default=("KUVA",), min_length=1, description="Called AE titles that are ours."
    )
    associations_max: Number = Field(
        default=200, ge=1, le=10_000, description="Associations at once on this node."
    )
    associations_per_ae_max: Number = Field(
        default=50, ge=1, le=10_000, description="Associations at once of one calling AE title."
    )
    artim_seconds: Seconds = Field(
        default=30.0,
        description="ARTIM: from transport connection to A-ASSOCIATE, and for the peer to close.",
    )
    idle_seconds: Seconds = Field(
        default=600.0, description="Quiet time after which an association is aborted; may differ per AE."
    )
    progress_floor_bytes_per_second: Bytes = Field(
        default=1 << 10, description="Slowest progress that a message may make, averaged over the window."
    )
    progress_window_seconds: Seconds = Field(default=60.0, description="Window of the progress floor.")


class HttpSettings(_Section):
    """Health and metrics."""

    host: Host = Field(
        default="127.0.0.1",
        description="Address to listen on. Loopback only, unless this file says otherwise.",
    )
    port: Port = Field(default=8080, description="TCP port.")


class JournalSettings(_Section):
    """The node's journal of instances that are not yet in a verified volume."""

    capacity: Bytes = Field(
        default=4 << 30,
        ge=256 << 20,
        le=JOURNAL_SEGMENTS_MAX << 30,
        description="Room of all segments; above 90 % fill new instances are refused (A700H).",
    )
    segment: Bytes = Field(
        default=64 << 20, ge=4 << 20, le=1 << 30, description="Size of one pre-written segment file."
    )


class CatalogueSettings(_Section):
    """The PostgreSQL (15 or later) that can be asked.

    Without `dsn` an embedded one is run under the data folder.
    """

    dsn: Dsn | None = Field(
        default=None,
        description="postgresql:// URL of the gateway's role (no superuser, no BYPASSRLS, owns nothing).",
    )
    migration_dsn: Dsn | None = Field(
        default=None,
        description="postgresql:// URL of the role that owns the schema; used by `kuva schema migrate` only.",
    )
    connections_max: Number = Field(
        default=8, ge=2, le=200, description="Connections at once from this node."
    )
    query_seconds_max: Seconds = Field(default=30.0, description="Deadline of one query.")


class ProfileSettings(_Section):
    """National and local rules: versioned data files."""

    name: str = Field(
        default="neutral", pattern=r"^[a-z][a-z0-9_-]*$", description="Which profile is in force."
    )
    private_sop_classes: tuple[UidText, ...] = Field(
        default=(), description="Private storage SOP classes accepted beside those of the profile."
    )


class Settings(BaseSettings):
    """Everything that can be set. Environment variables `KUVA_...` (`KUVA_DICOM__PORT`) win over the file."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=_ENV_PREFIX, env_nested_delimiter="__", env_ignore_empty=True
    )

    data: Annotated[Path, AfterValidator(_path_of)] = Field(
        default=Path(".kuva"), description="The data folder: journal, store, embedded PostgreSQL."
    )
    drain_seconds: Seconds = Field(
        default=30.0, description="On SIGTERM, time for associations to end by themselves."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severity that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto`: console on a terminal, else JSON lines."
    )
    node: NodeSettings = NodeSettings()
    dicom: DicomSettings = DicomSettings()
    http: HttpSettings = HttpSettings()
    journal: JournalSettings = JournalSettings()
    catalogue: CatalogueSettings = CatalogueSettings()
    profile: ProfileSettings = ProfileSettings()

    configured: bool = Field(default=False, exclude=True, repr=False)

    @property
    def open_access(self) -> bool:
        """Whether any caller on loopback may store into a demo vault: only where nothing is configured."""
        return not self.configured

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; there are no other sources."""
        return env_settings, init_settings

    def check(self) -> None:
        """What one field cannot know of another. Raises `SettingsError` with every finding."""
        findings = tuple(_cross_findings(self))
        if findings:
            raise SettingsError(findings)

    def render(self) -> str:
        """The settings in force as a documented `kuva.toml`; passwords are masked."""
        return "\n".join(_render(self)) + "\n"


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
    known = {_ENV_PREFIX + "__".join(place).upper() for place, _ in _fields(Settings)}
    known |= {_ENV_PREFIX + name.upper() for name in Settings.model_fields if name != "configured"}
    unknown = [
        n
        for n in environment
        if n.startswith(_ENV_PREFIX) and n not in known and not n.startswith(_ENV_FOR_TESTS)
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
    names = {_ENV_PREFIX + "__".join(place[:depth]).upper() for depth in range(1, len(place) + 1)}
    if path is None or names & os.environ.keys():
        return "environment"
    line = _line_of(text, place)
    return f"{path}:{line}" if line else str(path)


def _names_at(place: tuple[str, ...]) -> set[str]:
    model: type[BaseModel] = Settings
    for part in place:
        model = cast("type[BaseModel]", model.model_fields[part].annotation)
    return set(model.model_fields) - {"configured"}


def nearest(name: str, known: Collection[str]) -> str:
    """What to say after a name that is not known: the nearest that is, else all, if they are few."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; known: {', '.join(sorted(known))}" if len(known) <= NAMED_AT_MOST else ""


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


def _cross_findings(settings: Settings) -> Iterator[str]:
    if not settings.configured:
        for name, host in (("dicom.host", settings.dicom.host), ("http.host", settings.http.host)):
            if not _is_loopback(host):
                yield f"{name}: {host} is not loopback, and without a configuration file anybody may store"
    if settings.dicom.associations_per_ae_max > settings.dicom.associations_max:
        yield "dicom.associations_per_ae_max: more than dicom.associations_max"
    if settings.journal.capacity % settings.journal.segment:
        yield "journal.capacity: not a whole number of segments"
    if settings.journal.capacity < 4 * settings.journal.segment:
        yield "journal.capacity: fewer than four segments"
    if settings.journal.capacity // settings.journal.segment > JOURNAL_SEGMENTS_MAX:
        yield f"journal.capacity: more than {JOURNAL_SEGMENTS_MAX} segments; make journal.segment longer"
    if settings.journal.segment % 4096:
        yield "journal.segment: not a multiple of 4 KiB"
    if settings.dicom.port and settings.dicom.port == settings.http.port:
        yield "http.port: the same as dicom.port"
    if settings.catalogue.migration_dsn and not settings.catalogue.dsn:
        yield "catalogue.migration_dsn: has no meaning without catalogue.dsn"


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _fields(
    model: type[BaseModel], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _fields(info.annotation, (*above, name))
        elif not info.exclude:
            yield (*above, name), info


def _render(settings: Settings) -> Iterator[str]:
    yield "# Kuvavaranto settings. Sizes: 4 GiB; durations: 30 s. The environment, KUVA_SECTION__KEY, wins."
    table: tuple[str, ...] = ()
    for place, info in _fields(Settings):
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
    if _bytes_of in validators and isinstance(value, int):
        unit = max(
            (u for u in _SIZES.items() if value and value % u[1] == 0), key=lambda u: u[1], default=("B", 1)
        )
        return f"{value // unit[1]} {unit[0].replace('IB', 'iB')}"
    if _seconds_of in validators and isinstance(value, float):
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
