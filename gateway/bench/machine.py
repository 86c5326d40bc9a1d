"""The machine and the versions: without them no figure means anything."""

import os
import platform
import subprocess
from pathlib import Path

from gateway.bench.measuring import available_memory
from gateway.bench.peer import Kind, Peer, filled, found


def described(file_system: str) -> dict[str, str]:
    """Processor, cores, memory, kernel, file system, load before anything was run."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{_total_memory() / 1e9:.1f} GB, {available_memory() / 1e9:.1f} GB available",
        "kernel": f"{platform.system()} {platform.release()}",
        "distribution": _distribution(),
        "file system": file_system,
        "python": platform.python_version(),
        "load average": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def version_of(peer: Peer) -> str:
    """As the peer says it, on one line."""
    if peer.kind is Kind.KUVA:
        return _commit(peer)
    words = [str(filled(word, {"program": found(peer.program) or peer.program})) for word in peer.version]
    return _said(words).splitlines()[0].strip("$ ") if words and _said(words) else "unknown"


def _commit(peer: Peer) -> str:
    """The commit of the checkout, and whether it is changed."""
    folder = peer.checkout or str(Path(__file__).resolve().parents[2])
    return _said(["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=12"]) or "unknown"


def _said(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _total_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"
