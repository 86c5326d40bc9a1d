"""A foreign program, run to its end: what it complained of."""

import asyncio
from pathlib import Path

SECONDS_MAX = 60.0


async def complaint_of(name: str, *command: str, cwd: Path | None = None) -> str:
    """The last line of what it printed if it failed, behind `name`; "" if it did not."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS_MAX):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{name} did not end within {SECONDS_MAX:g} s"
    if process.returncode == 0:
        return ""
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit {process.returncode}"]
    return f"{name}: {last[0]}"
