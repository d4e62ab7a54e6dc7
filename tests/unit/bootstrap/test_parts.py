"""The parts of the server process: services find each other, names are unique, a loop that ends is a failure."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kswifi.bootstrap.context import Context, open_context
from kswifi.bootstrap.part import Loop, Part, PartEndedError, Supervisor
from kswifi.bootstrap.parts.background import open_background
from kswifi.data_directory.layout import Installation
from kswifi.kernel.clock import SystemClock
from kswifi.settings import Settings


async def _none() -> int:
    return 0


async def _context(folder: Path, stack: AsyncExitStack) -> Context:
    installation = Installation(folder).open()
    stack.callback(installation.close)
    return await open_context(Settings(data_dir=folder), installation, SystemClock(), stack)


async def test_a_service_is_found_by_its_class_and_a_missing_one_is_named(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        context = await _context(tmp_path, stack)
        part = Part()
        context.offer(part)
        assert context.need(Part) is part
        assert context.find(Loop) is None
        with pytest.raises(LookupError, match="Loop"):
            context.need(Loop)


async def test_two_parts_cannot_use_one_name(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        context = await _context(tmp_path, stack)
        context.parts.extend((Part(chores={"tidy": _none}), Part(chores={"tidy": _none})))
        with pytest.raises(ValueError, match="tidy"):
            await open_background(context)


async def test_a_part_of_the_list_gets_its_chores_done(tmp_path: Path) -> None:
    done = asyncio.Event()

    async def chore() -> int:
        done.set()
        return 0

    async with AsyncExitStack() as stack:
        context = await _context(tmp_path, stack)
        context.parts.append(Part(chores={"tidy": chore}))
        for loop in (await open_background(context)).loops:
            await stack.enter_async_context(context.supervisor.running(loop))
        await asyncio.wait_for(done.wait(), 10)


async def test_a_loop_that_ends_by_itself_ends_the_process() -> None:
    async def ends() -> None:
        return

    supervisor = Supervisor()
    async with supervisor.running(Loop("short", ends, lambda: None)):
        with pytest.raises(PartEndedError, match="short"):
            await supervisor.until(asyncio.Event())


async def test_a_loop_that_is_stopped_is_no_failure() -> None:
    stopping = asyncio.Event()

    async def runs() -> None:
        await stopping.wait()

    supervisor = Supervisor()
    stop = asyncio.Event()
    stop.set()
    async with supervisor.running(Loop("long", runs, stopping.set)):
        await supervisor.until(stop)
