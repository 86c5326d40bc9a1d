"""Values: what may stand behind a key, as types that know their units, and what each looks like."""

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

SIZES = {"B": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 6.2, VR AE: no backslash, no control characters
_UID = re.compile(r"(?=.{1,64}\Z)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?)+")


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


def bytes_of(value: object) -> object:
    """Bytes as a whole number, where a size is written; what else there is, pydantic judges."""
    upper = value.upper() if isinstance(value, str) else value
    amount = _quantity(upper, {"": 1, **SIZES}, "64 MiB")
    return int(amount) if isinstance(amount, float) and amount.is_integer() else amount


def seconds_of(value: object) -> object:
    """Seconds, where a duration is written; what else there is, pydantic judges."""
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
    if isinstance(value, str) and not (is_address(value) or _HOST_NAME.fullmatch(value)):
        raise ValueError("neither an IP address nor a host name")
    return value


def path_of(value: Path) -> Path:
    """The path, if it can be one."""
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


Bytes = Annotated[int, BeforeValidator(bytes_of), Field(ge=0)]
"""A size in bytes; "4 GiB", "64 MiB" or a number."""
Seconds = Annotated[float, BeforeValidator(seconds_of), Field(gt=0, allow_inf_nan=False)]
"""A duration in seconds; "30 s", "10 min" or a number."""
Number = Annotated[int, BeforeValidator(_number_of)]
Host = Annotated[str, BeforeValidator(_host_of)]
Port = Annotated[int, BeforeValidator(_number_of), Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system choose, for tests."""
Dsn = Annotated[SecretStr, AfterValidator(_dsn_of)]
"""A postgresql:// URL, with the database named."""
AeTitleText = Annotated[str, BeforeValidator(_ae_title_of)]
UidText = Annotated[str, BeforeValidator(_uid_of)]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
