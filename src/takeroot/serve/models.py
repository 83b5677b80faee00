"""Which models there are: the bundles of a folder, each opened by every worker.

When the folder changes, a new bundle is verified, opened and warmed up beside the old one, which is
dropped when nothing of it waits any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from takeroot.bundle.spec import Spec
from takeroot.errors import BundleError
from takeroot.serve.cache import Cache
from takeroot.serve.catalogue import Place, scan
from takeroot.serve.faults import ServeError
from takeroot.serve.flight import Flights
from takeroot.serve.pool import Opened, Pool
from takeroot.serve.settings import Settings
from takeroot.serve.worker_link import Interrupted

VERSION_DIGITS = 12
SHOWN = 20  # model names in a message
WATCH_S = 1.0  # between two looks at the folder
UNUSED_S = 0.05  # between two looks whether an old bundle is still needed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelInfo:
    """A model that is served.

    Args:
        name: From its bundle.
        version: First digits of its hash.
        spec: What bundle.json says.
        sha256: The hash of all that determines answers.
    """

    name: str
    version: str
    spec: Spec
    sha256: str


@dataclass(eq=False)
class Served:
    """An opened bundle.

    Args:
        opened: In all workers.
        info: How it is shown.
        shared: What is kept of its answers; None if nothing.
        users: Requests that are being answered by it, which keep it open when it is replaced.
    """

    opened: Opened
    info: ModelInfo
    shared: Flights | None
    users: int = 0


@dataclass
class Models:
    """The bundles that are open.

    Args:
        folder: A bundle, or a folder of bundles.
        settings: Which models' answers are kept.
        pool: The workers.
    """

    folder: Path
    settings: Settings
    pool: Pool
    _served: dict[str, Served] = field(default_factory=dict)  # by place key
    _by_name: dict[str, list[Served]] = field(default_factory=dict)  # newest first
    _hidden: set[str] = field(default_factory=set)  # names unloaded on request
    _refused: set[str] = field(default_factory=set)  # place keys that could not be opened
    _missing: set[str] = field(default_factory=set)  # keys whose folder was not there last time
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def start(self) -> None:
        """Start the workers and open every bundle.

        Raises:
            BundleError: If there is none, or one cannot be opened.
        """
        places = scan(self.folder)
        if not places:
            raise BundleError(f"{self.folder}: holds no bundle (a folder with manifest.json)")
        await self.pool.start()
        for place in places:
            await self._open(place)
        self._arrange()
        for name in self.settings.cache_entries.keys() - self._by_name.keys():
            log.warning("--cache %s: no model of this name is served", name)

    def listed(self) -> list[Served]:
        """What is served, by name, the newest version of each first."""
        return [each for name in sorted(self._by_name) for each in self._by_name[name]]

    def newest(self) -> list[Served]:
        """The newest version of every model."""
        return [versions[0] for versions in self._by_name.values()]

    def find(self, name: str, version: str | None = None) -> Served:
        """The newest version of a model, or the one asked for.

        Raises:
            ServeError: ``unknown_model``, with the names there are.
        """
        for each in self._by_name.get(name, ()):
            if version in (None, each.info.version):
                return each
        known = [
            f"{each.info.name} ({each.info.version})" if each.info.name == name else each.info.name
            for each in self.listed()
        ]
        raise ServeError("unknown_model", known=", ".join(dict.fromkeys(known[:SHOWN])) or "none")

    async def load(self, name: str) -> None:
        """Serve a model that was unloaded, or look whether the folder holds it now.

        Raises:
            ServeError: ``unknown_model``.
        """
        self._hidden.discard(name)
        await self.refresh()
        self.find(name)

    def unload(self, name: str) -> None:
        """Stop serving a model until it is loaded again.

        Raises:
            ServeError: ``unknown_model``.
        """
        self.find(name)
        self._hidden.add(name)
        self._arrange()

    def repository(self) -> list[tuple[str, str, str]]:
        """Name, version and state (READY or UNAVAILABLE) of every bundle that is open."""
        shown = set(self.listed())
        return sorted(
            (each.info.name, each.info.version, "READY" if each in shown else "UNAVAILABLE")
            for each in self._served.values()
        )

    async def watch(self) -> None:
        """Follow what happens in the folder, for ever."""
        while True:
            await asyncio.sleep(WATCH_S)
            try:
                await self.refresh()
            except (BundleError, OSError) as error:
                log.error("the folder of bundles cannot be read: %s", error)

    async def refresh(self) -> None:
        """Open what is new in the folder, then drop what is gone."""
        async with self._changing:
            places = {place.key: place for place in await asyncio.to_thread(scan, self.folder)}
            self._refused &= set(places)
            for key, place in places.items():
                if key not in self._refused and not (
                    key in self._served and self.pool.everywhere(key)
                ):
                    await self._try(place)
            old = [self._served.pop(key) for key in self._gone(places)]
            self._arrange()
        for each in old:
            await self._drop(each)

    async def _try(self, place: Place) -> None:
        """Open one bundle, or open it again in workers that lack it; if it cannot be, say so."""
        try:
            await self._open(place)
        except Interrupted as error:
            log.error("not served yet: %s", error)
        except BundleError as error:  # perhaps still being written: the old one stays
            self._refused.add(place.key)
            log.error("not served: %s", error)

    def _gone(self, places: Mapping[str, Place]) -> list[str]:
        """Keys of what is served and has been replaced, or is missing for the second time.

        Between the two renamings of a replacement a folder is missing for a moment.
        """
        paths = {place.path for place in places.values()}
        opened = {self._served[key].opened.path for key in places if key in self._served}
        old = [(key, each.opened.path) for key, each in self._served.items() if key not in places]
        missing = {key for key, path in old if path not in paths}
        again, self._missing = missing & self._missing, missing
        return [key for key, path in old if path in opened or key in again]

    async def _open(self, place: Place) -> None:
        """Open one bundle in all workers; nothing is kept of its answers yet."""
        opened = await self.pool.open(place.key, place.path)
        if place.key in self._served:
            return
        name, version = opened.spec.name, opened.sha256[:VERSION_DIGITS]
        entries = self.settings.cache_entries.get(name)
        if opened.spec.writes and entries is not None:
            self.pool.forget(place.key)
            raise BundleError(f"--cache {name}: writes texts, which are not kept; leave it out")
        shared = None if entries is None else Flights(Cache(entries, self.settings.cache_bytes))
        info = ModelInfo(name, version, opened.spec, opened.sha256)
        self._served[place.key] = Served(opened, info, shared)
        log.info("serving %s version %s", name, version)

    async def _drop(self, served: Served) -> None:
        """Forget a bundle when the last request that was given it is answered."""
        key = served.opened.key
        while served.users:
            await asyncio.sleep(UNUSED_S)
        if key in self._served:  # it has come back meanwhile
            return
        self.pool.forget(key)
        log.info("no longer serving %s version %s", served.info.name, served.info.version)

    def _arrange(self) -> None:
        """Put the versions of each model in order, in one step: no request sees half of it."""
        by_name: dict[str, list[Served]] = defaultdict(list)
        for each in self._served.values():
            if each.info.name not in self._hidden:
                by_name[each.info.name].append(each)
        for versions in by_name.values():
            versions.sort(key=lambda each: (each.opened.created, each.opened.key), reverse=True)
        self._by_name = dict(by_name)
