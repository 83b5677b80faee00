"""Which models there are, while the folder changes under the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from takeroot.serve.faults import ServeError
from takeroot.serve.models import Models
from takeroot.serve.pool import Pool
from takeroot.serve.settings import Settings


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Models]:
    """The bundles of a folder, open in one worker."""
    pool = Pool(1)
    models = Models(folder, Settings(), pool)
    try:
        await models.start()
        yield models
    finally:
        await pool.stop()


def test_a_folder_that_is_missing_for_a_moment_is_still_served(shop: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(shop) as models:
            os.rename(shop / "shop", tmp_path / "old")
            await models.refresh()  # between the two renamings of a replacement
            found = models.find("shop")
            os.rename(tmp_path / "old", shop / "shop")
            await models.refresh()

            assert models.find("shop") is found

    asyncio.run(scenario())


def test_a_folder_that_stays_away_is_served_no_more(shop: Path, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(shop) as models:
            os.rename(shop / "shop", tmp_path / "old")
            await models.refresh()
            await models.refresh()

            with pytest.raises(ServeError, match="there is no such model"):
                models.find("shop")

    asyncio.run(scenario())


def test_a_bundle_that_is_added_is_served_beside_the_others(
    shop: Path, shop_bundle: Path, tmp_path: Path, changed_copy: Callable[[Path, Path], str]
) -> None:
    async def scenario() -> None:
        async with opened(shop) as models:
            old = models.find("shop").info.version
            new = changed_copy(shop_bundle, tmp_path / "new")
            os.rename(tmp_path / "new", shop / "second")
            await models.refresh()

            assert [each.info.version for each in models.listed()] == [new, old]

    asyncio.run(scenario())


def test_a_bundle_that_comes_back_before_it_is_forgotten_stays_open(
    shop: Path, shop_bundle: Path, tmp_path: Path, changed_copy: Callable[[Path, Path], str]
) -> None:
    async def scenario() -> None:
        async with opened(shop) as models:
            first = models.find("shop")
            changed_copy(shop_bundle, tmp_path / "new")
            first.users += 1  # a request takes its time
            os.rename(shop / "shop", tmp_path / "old")
            os.rename(tmp_path / "new", shop / "shop")
            leaving = asyncio.ensure_future(models.refresh())
            while models.find("shop").info.version == first.info.version:
                await asyncio.sleep(0.01)
            os.rename(shop / "shop", tmp_path / "new")
            os.rename(tmp_path / "old", shop / "shop")
            coming = asyncio.ensure_future(models.refresh())
            while models.find("shop").info.version != first.info.version:
                await asyncio.sleep(0.01)
            first.users -= 1
            await asyncio.gather(leaving, coming)

            assert models.pool.everywhere(models.find("shop").opened.key)

    asyncio.run(scenario())
