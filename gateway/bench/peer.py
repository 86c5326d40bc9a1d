"""Peers: the archives and receivers that are measured, as data in `benchmarks/peers`."""

import os
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from gateway.bench.failure import BenchError


class Kind(Enum):
    """How a peer is started, and how what it kept is counted."""

    KUVA = "kuva"
    """This program: by its metrics and by its catalogue."""
    FILES = "files"
    """Anything that keeps one file for each instance."""
    ORTHANC = "orthanc"
    """By its REST interface."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One of them."""

    name: str
    title: str
    kind: Kind
    called: str
    durability: str
    """What its answer 0000H stands for, in words."""
    program: str = ""
    """The executable, of which a foreign peer must have one."""
    package: str = ""
    """The Debian package that has it."""
    command: tuple[str, ...] = ()
    """With {program}, {store}, {port}, {http_port} and {configuration} to be filled in."""
    environment: Mapping[str, str] = field(default_factory=dict)
    version: tuple[str, ...] = ()
    """The command that says its version."""
    configuration: Mapping[str, object] = field(default_factory=dict)
    """Written as a JSON file, where the command names {configuration}."""
    reports: str = ""
    """Where its storage commitment reports come in: "same" association, a "new" one, or none ("")."""
    asked: bool = False
    """Whether this time it is asked for commitment, and measured until its reports."""
    checkout: str = ""
    """Kind `kuva`: another checkout of this program, with an environment of its own."""

    @property
    def installed(self) -> bool:
        return self.kind is Kind.KUVA or found(self.program) is not None

    def at(self, checkout: Path, name: str) -> "Peer":
        """The same program from another checkout. Raises `BenchError`."""
        if not (checkout / ".venv" / "bin" / "python").exists():
            raise BenchError(f"{checkout} has no environment: run 'make setup' there")
        return replace(self, name=name, title=f"{self.title} of {checkout}", checkout=str(checkout))

    def committing(self, name: str) -> "Peer":
        """The same, measured until its reports. Raises `BenchError`."""
        if self.reports not in ("same", "new"):
            raise BenchError(f"{self.name} is not known to report storage commitment")
        return replace(self, name=name, title=f"{self.title}, until committed", asked=True)

    @property
    def python(self) -> str:
        """The interpreter that runs this program."""
        return f"{self.checkout}/.venv/bin/python" if self.checkout else sys.executable


def load_peers(folder: Path) -> dict[str, Peer]:
    """All of a folder, by name. Raises `BenchError`."""
    return {path.stem: _load(path) for path in sorted(folder.glob("*.toml"))}


def _load(path: Path) -> Peer:
    try:
        said = tomllib.loads(path.read_text("utf-8"))
        for name in ("command", "version"):
            said[name] = tuple(said.get(name, ()))
        peer = Peer(name=path.stem, kind=Kind(said.pop("kind")), **said)
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
        raise BenchError(f"{path}: {error}") from None
    if peer.kind is not Kind.KUVA and not (peer.program and peer.command):
        raise BenchError(f"{path}: a foreign peer needs program and command")
    return peer


def found(program: str) -> str | None:
    """Where a program is; not beside our interpreter, where pynetdicom has scripts of the same names."""
    if os.sep in program:
        return shutil.which(program)
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder) != ours]
    return shutil.which(program, path=os.pathsep.join([*folders, "/usr/sbin", "/usr/local/sbin"]))


def filled(value: object, values: Mapping[str, str]) -> object:
    """Every {name} replaced; a whole "{port}" becomes a number."""
    if isinstance(value, str):
        text = value
        for name, one in values.items():
            text = text.replace("{" + name + "}", one)
        return int(text) if text != value and text.isdecimal() else text
    if isinstance(value, Mapping):
        return {key: filled(one, values) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, values) for one in value]
    return value
