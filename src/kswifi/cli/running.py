"""Run a coroutine from a command, without asyncio in the commands that have none; import a process's modules.

The command line imports every command's module, so that ``kswifi --help`` can list it. asyncio with what it needs
(ssl, sockets, logging) was a third of the time that took: a command imports it when it runs.
"""

import gc
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


@contextmanager
def importing_many() -> Iterator[None]:
    """Collect no garbage while many modules are imported: there is none, and looking for it costs a seventh."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine to its end in an event loop of its own and return its result; raises what it raises."""
    import asyncio

    return asyncio.run(work)
