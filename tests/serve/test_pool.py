"""Real worker processes: what waits, what is open where, and workers that die at a bad moment."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from takeroot.serve.faults import ServeError
from takeroot.serve.pool import DEPTH, Pool
from takeroot.serve.queue import Piece, Result
from takeroot.serve.wire import Input
from takeroot.serve.worker import NICENESS
from takeroot.serve.worker_link import Interrupted

KEY = "shop"


@asynccontextmanager
async def running(size: int) -> AsyncIterator[Pool]:
    """Workers, until the block ends."""
    pool = Pool(size)
    try:
        await pool.start()
        yield pool
    finally:
        await pool.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; a busy machine takes its time."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def ask(pool: Pool, text: Input, tokens: int = 10_000) -> Awaitable[Result]:
    """Have a text answered."""
    done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    pool.put(Piece(KEY, [text], "json", 0, tokens, 0.0, done))
    return done


async def kill(pool: Pool, place: int) -> None:
    """Kill a worker and wait for its successor."""
    before = list(pool.pids)
    os.kill(before[place], signal.SIGKILL)
    await until(lambda: len(pool.pids) == len(before) and before[place] not in pool.pids)


def test_pieces_of_one_request_are_spread_over_the_workers(shop_bundle: Path) -> None:
    async def scenario() -> None:
        async with running(2) as pool:
            await pool.open(KEY, str(shop_bundle))
            asked = [ask(pool, "where is it") for _ in range(2 * DEPTH)]
            await asyncio.sleep(0)

            assert [len(worker.runs) for worker in pool._workers] == [DEPTH, DEPTH]
            await asyncio.gather(*asked)

    asyncio.run(scenario())


def test_the_server_comes_before_its_workers_where_cores_are_short(shop_bundle: Path) -> None:
    async def scenario() -> None:
        async with running(2) as pool:
            await pool.open(KEY, str(shop_bundle))
            own = os.getpriority(os.PRIO_PROCESS, 0)
            of_workers = [os.getpriority(os.PRIO_PROCESS, pid) for pid in pool.pids]
            assert of_workers == [min(own + NICENESS, 19)] * 2

    asyncio.run(scenario())


def test_a_worker_that_ends_while_it_opens_a_bundle_does_not_condemn_the_bundle(
    shop_bundle: Path,
) -> None:
    async def scenario() -> None:
        async with running(1) as pool:
            opening = asyncio.ensure_future(pool.open(KEY, str(shop_bundle)))
            await asyncio.sleep(0)
            os.kill(pool.pids[0], signal.SIGKILL)
            with pytest.raises(Interrupted):
                await opening
            with pytest.raises(Interrupted, match="no worker"):
                await pool.open(KEY, str(shop_bundle))

            await until(lambda: bool(pool.pids))
            await pool.open(KEY, str(shop_bundle))
            assert (await ask(pool, "where is it")).json

    asyncio.run(scenario())


def test_what_cannot_be_sent_to_a_worker_is_answered_and_takes_no_place(shop_bundle: Path) -> None:
    async def scenario() -> None:
        async with running(1) as pool:
            await pool.open(KEY, str(shop_bundle))
            for _ in range(2 * DEPTH):
                done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
                pool.put(Piece(KEY, ["x"], "json", 10**40, 9, 0.0, done))
                with pytest.raises(ServeError, match="the server failed"):
                    await done

            assert (await ask(pool, "where is it")).json
            assert not pool.busy

    asyncio.run(scenario())


@pytest.mark.parametrize("poison", [("a pair", "for one text"), "half a pair: \ud83d"])
def test_a_text_that_fails_in_a_run_fails_no_other_request_of_it(
    shop_bundle: Path, poison: Input
) -> None:
    async def scenario() -> None:
        async with running(1) as pool:
            await pool.open(KEY, str(shop_bundle))
            asked = [ask(pool, text, 9) for text in ("where is it", poison, "my card", "zzz")]
            await asyncio.sleep(0)
            assert len(pool._workers[0].runs) <= 1  # in one run, if it can be sent

            found = await asyncio.gather(*asked, return_exceptions=True)

            assert isinstance(found.pop(1), ServeError)
            assert all(isinstance(each, Result) for each in found)
            assert not pool.busy

    asyncio.run(scenario())


def test_a_bundle_that_is_open_can_be_opened_again(shop_bundle: Path) -> None:
    async def scenario() -> None:
        async with running(1) as pool:
            first = await pool.open(KEY, str(shop_bundle))

            assert await pool.open(KEY, str(shop_bundle)) is first

    asyncio.run(scenario())


def test_a_new_worker_takes_no_other_bundle_for_the_one_it_replaces(
    shop: Path, shop_bundle: Path, tmp_path: Path, changed_copy: Callable[[Path, Path], str]
) -> None:
    changed_copy(shop_bundle, tmp_path / "new")

    async def scenario() -> None:
        async with running(2) as pool:
            opened = await pool.open(KEY, str(shop / "shop"))
            before = (await ask(pool, "zzz")).json
            os.rename(shop / "shop", tmp_path / "old")
            os.rename(tmp_path / "new", shop / "shop")
            await kill(pool, 0)

            assert not pool.everywhere(KEY)
            found = await asyncio.gather(*(ask(pool, "zzz") for _ in range(8)))
            assert all(each.json == before for each in found)

            os.rename(shop / "shop", tmp_path / "new")
            os.rename(tmp_path / "old", shop / "shop")
            assert await pool.open(KEY, str(shop / "shop")) == opened
            assert pool.everywhere(KEY)

    asyncio.run(scenario())


def test_what_waits_for_a_model_that_no_worker_can_open_is_refused_and_nothing_else(
    shop: Path, shop_bundle: Path
) -> None:
    async def scenario() -> None:
        async with running(1) as pool:
            await pool.open(KEY, str(shop / "shop"))
            await pool.open("other", str(shop_bundle))
            shutil.rmtree(shop / "shop")
            os.kill(pool.pids[0], signal.SIGKILL)
            await until(lambda: not pool.pids)
            waiting = ask(pool, "where is it")

            with pytest.raises(ServeError, match="not ready"):
                await waiting
            with pytest.raises(ServeError, match="not ready"):
                await ask(pool, "where is it")
            assert (list(pool.models), pool.busy) == (["other"], False)

    asyncio.run(scenario())
