"""Run a module of the ledger in a separate process, so that work on its files delays no request."""

import asyncio
import sys

from kswifi.ledger.errors import LedgerError


async def run_module(module: str, *arguments: str, timeout_seconds: float | None = None) -> bytes:
    """Run ``python -m module``; return what it printed. The process is killed if the caller is cancelled.

    Raises:
        LedgerError: it failed; the message is the last line of its error output.
        TimeoutError: it took longer than ``timeout_seconds``.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, complaint = await asyncio.wait_for(process.communicate(), timeout_seconds)
    except (TimeoutError, asyncio.CancelledError):
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode:
        words = complaint.decode(errors="replace").strip().splitlines()
        raise LedgerError(words[-1] if words else f"it ended with status {process.returncode}")
    return output
