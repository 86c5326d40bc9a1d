"""Volumes read by others: plain `tar`, `sha256sum` and the `bagit` package, and the bytes compared."""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gateway.demo.compare import Fetched
from gateway.demo.part10 import PREAMBLE, NotPart10Error, read_meta
from gateway.demo.program import complaint_of

MANIFESTS = ("manifest-sha256.txt", "tagmanifest-sha256.txt")


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A volume as `tar` unpacked it, and what anybody complained of."""

    folder: Path
    findings: tuple[str, ...]

    def instances(self) -> Iterator[Fetched]:
        """Each file of the payload, read by the demo's own reader of Part 10. Raises `NotPart10Error`."""
        for path in sorted((self.folder / "data").rglob("*.dcm")):
            data = path.read_bytes()
            if not data.startswith(PREAMBLE):
                raise NotPart10Error(f"{path.name}: the preamble is not empty")
            meta = read_meta(data)
            yield Fetched(meta.sop_class, meta.sop_instance, meta.transfer_syntax, data[meta.offset :])


def missing() -> tuple[str, ...]:
    """What is not installed of what reads a volume."""
    tools = tuple(tool for tool in ("tar", "sha256sum") if shutil.which(tool) is None)
    return tools if find_spec("bagit") else (*tools, "bagit")


async def unpack(volume: Path, into: Path) -> Unpacked:
    """`tar -xf`, then both manifests by `sha256sum -c`."""
    await asyncio.to_thread(into.mkdir, parents=True, exist_ok=True)
    folder = into / volume.stem
    said = [await complaint_of("tar", "tar", "-xf", os.fspath(volume), "-C", os.fspath(into))]
    if not said[0]:
        said += [await _check(folder, manifest) for manifest in MANIFESTS]
    return Unpacked(folder, tuple(f"{volume.name}: {complaint}" for complaint in said if complaint))


async def _check(folder: Path, manifest: str) -> str:
    return await complaint_of("sha256sum", "sha256sum", "--strict", "--quiet", "-c", manifest, cwd=folder)


async def validate(bags: Sequence[Unpacked]) -> str:
    """All bags at once by the `bagit` package; what it complained of."""
    return await complaint_of(
        "bagit",
        sys.executable,
        "-m",
        "bagit",
        "--validate",
        "--quiet",
        *(os.fspath(bag.folder) for bag in bags),
    )
