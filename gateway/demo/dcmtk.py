"""DCMTK as a second foreign peer, where it is installed: storescu sends, getscu fetches bit by bit."""

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway.demo.compare import Fetched
from gateway.demo.material import Sample
from gateway.demo.part10 import NotPart10Error, read_meta
from gateway.demo.peers import Address
from gateway.demo.program import complaint_of


def missing() -> str:
    """The names of the tools that are not installed, "" if none."""
    return " and ".join(tool for tool in ("storescu", "getscu") if found(tool) is None)


def found(tool: str) -> str | None:
    """Where DCMTK's tool is: pynetdicom installs scripts of the same names beside the interpreter."""
    ours = Path(sys.executable).parent
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if Path(folder) != ours]
    return shutil.which(tool, path=os.pathsep.join(folders))


async def store(address: Address, samples: Sequence[Sample]) -> str:
    """Sends with storescu, only the contexts that the files need; returns what it complained of."""
    return await _run(
        "storescu", "-R", "-aet", address.calling, "-aec", address.called, "-td", "30",
        address.host, str(address.port), *(str(sample.path) for sample in samples),
    )  # fmt: skip


async def fetch(address: Address, study: str, folder: Path) -> tuple[str, list[Fetched]]:
    """Fetches a study with getscu, written straight to disk; returns what it complained of, and what came."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    complaint = await _run(
        "getscu", "+B", "-S", "-aet", address.calling, "-aec", address.called, "-td", "30",
        "-od", str(folder),
        "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}",
        address.host, str(address.port),
    )  # fmt: skip
    return complaint, await asyncio.to_thread(_received, folder)


def _received(folder: Path) -> list[Fetched]:
    received = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        try:
            meta = read_meta(data)
        except NotPart10Error:
            continue
        received.append(Fetched(meta.sop_class, meta.sop_instance, meta.transfer_syntax, data[meta.offset :]))
    return received


async def _run(*command: str) -> str:
    program = found(command[0])
    if program is None:
        return f"{command[0]} is not installed"
    return await complaint_of(command[0], program, *command[1:])
