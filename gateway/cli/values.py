"""Values of options and arguments: what a command takes, checked before anything is asked or started."""

import datetime as dt
import re
from pathlib import Path

import typer

from gateway.model.identifiers import parse_ae_title

_UID = re.compile(r"[0-9.]{1,64}")
"""Leading zeros and the like are forgiven: old archives are full of them, and a study may be asked for."""
_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
_HOST = re.compile(r"[^\s\x00-\x1f/@\[\]]{1,253}")


def ae_title(text: str) -> str:
    """PS3.5 6.2, VR AE."""
    try:
        return parse_ae_title(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def uid(text: str) -> str:
    """Digits and dots, 64 at most."""
    if not _UID.fullmatch(text):
        raise typer.BadParameter(f"not a UID: {text[:70]!r}; digits and dots, 64 characters at most")
    return text


def ulid(text: str) -> str:
    """A volume's id, however its letters are written."""
    if not _ULID.fullmatch(text.upper()):
        raise typer.BadParameter(f"not a volume's id: {text[:40]!r}; 26 digits and letters")
    return text.upper()


def date(text: str) -> str:
    """A day as DICOM writes it (PS3.5 6.2, VR DA)."""
    try:
        if re.fullmatch(r"[0-9]{8}", text):
            dt.date.fromisoformat(text)
            return text
    except ValueError:
        pass  # such as 20260230
    raise typer.BadParameter(f"not a date: {text[:20]!r}; write YYYYMMDD, such as 20261231")


def words(text: str) -> str:
    """Any text that says something. An empty one is more likely a variable that was not set."""
    if not text.strip():
        raise typer.BadParameter("empty")
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
        raise typer.BadParameter(f"control characters, or not UTF-8: {text[:40]!r}")
    return text


def folder(text: str) -> Path:
    """A folder, or the place of one that is yet to be made."""
    path = Path(words(text)).expanduser()
    if path.exists() and not path.is_dir():
        raise typer.BadParameter(f"{text} is not a folder")
    return path


def file(text: str) -> Path:
    """A file, or the place of one that is yet to be made in a folder that is there."""
    path = Path(words(text)).expanduser()
    if not path.absolute().parent.is_dir():
        raise typer.BadParameter(f"{text}: there is no such folder")
    if path.exists() and not path.is_file():
        raise typer.BadParameter(f"{text} is not a file")
    return path


def place(text: str) -> Path:
    """A file or folder that is there. An empty word, which a path would take for here, is none."""
    if not text.strip():
        raise typer.BadParameter("empty")
    path = Path(text)
    if not path.exists():
        raise typer.BadParameter(f"{text}: there is no such file or folder")
    return path


def host(text: str) -> str:
    """A host name or an address, IPv6 too."""
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        name.encode("idna")
    except UnicodeError:
        name = ""
    if not _HOST.fullmatch(name):
        raise typer.BadParameter(f"not a host: {text[:70]!r}")
    return name


def address(text: str) -> tuple[str, int]:
    """HOST:PORT, as --to says it."""
    name, _, port = text.rpartition(":")
    if not name or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"{text[:70]!r}: write it like 127.0.0.1:11112", param_hint="--to")
    try:
        return host(name), int(port)
    except typer.BadParameter as error:
        raise typer.BadParameter(error.message, param_hint="--to") from None
