"""``takeroot serve`` over REST and gRPC, its peers and the bare engine, on the same texts.

Run: python bench/serve.py [--bundle FOLDER] [--texts FILE.csv] [--peers FOLDER] [--only NAMES]
     python bench/serve.py --size        installed size of takeroot[serve], in a fresh environment
Needs Linux and a C compiler for the load generator. In each round every server is started, measured
(1, 8 and 32 connections with one text a request; batches of 64 texts; an open loop at 70 % of its
rate at 32 connections), and ended, with the engine measured before and after it: ratios are of a
server to the engine beside it. Load and servers share the cores. Prints medians, and the figures
aimed at; ends with 1 if one is not reached. See bench/peers/README.md for the peers;
``--only takeroot,takeroot-record,takeroot-record-mask`` shows what keeping requests costs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from load.engine import Engine
from load.generator import Target, compiled, load
from load.process import memory
from load.report import figures, steadiness, table
from load.requests import write_requests
from load.servers import Failed, Front, Running, Server, ask, label_in, programs, started
from load.table import SERVERS, VARIANTS
from predict import demo_bundle, demo_texts, texts_of

from takeroot.bundle import Predictor, load_predictor

ROOT = Path(__file__).resolve().parents[1]
KNOWN = {**SERVERS, **VARIANTS}
CONNECTIONS = (1, 8, 32)
BATCH = 64  # texts
BATCH_CONNECTIONS = (1, 4)
OPEN_SHARE = 0.7  # of the rate at the most connections
OPEN_CONNECTIONS = 64
COMPARED = 100  # texts whose labels are compared
WARM_S = 1.0
BESIDE_S = 1.5  # of the engine, before and after a server
MOST_MB = 250  # that takeroot[serve] may take
NOT_COUNTED = ("pip", "setuptools", "_distutils_hack", "pkg_resources")


@dataclass(frozen=True)
class Run:
    """What all measurements share.

    Args:
        program: The load generator.
        bundle: The bundle's folder.
        predictor: The same bundle, opened here.
        texts: Sent in requests.
        expected: Labels of the first texts.
        engine: Measured beside.
        seconds: Of a measurement.
        peers: Where peers are installed.
    """

    program: Path
    bundle: Path
    predictor: Predictor
    texts: list[str]
    expected: list[str | None]
    engine: Engine
    seconds: float
    peers: Path | None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bundle", type=Path, help="Without it, one with a random head.")
    parser.add_argument("--texts", type=Path, help="A csv with a column text; else demo texts.")
    parser.add_argument("--peers", type=Path, help="Folder of the peers' environments.")
    parser.add_argument("--only", help=f"Some of {','.join(KNOWN)}, in this order.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3, help="Of each measurement.")
    parser.add_argument("--json", type=Path, help="File for every single measurement.")
    parser.add_argument("--size", action="store_true", help="Measure the installed size, only.")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(SERVERS)
    if unknown := set(names) - set(KNOWN):
        parser.error(f"--only: {min(unknown)!r} is none of {', '.join(KNOWN)}")
    if given.size:
        return tell_size()
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder))
        if program is None:
            print("skipped: there is no C compiler (cc) for the load generator")
            return 0
        return measure(given, names, program, Path(folder))


def measure(given: argparse.Namespace, names: list[str], program: Path, folder: Path) -> int:
    """All rounds; the exit code."""
    bundle = given.bundle or demo_bundle(folder / "bundle").path
    run = prepare(given, program, bundle)
    turns: list[dict[str, Any]] = []
    for number in range(given.rounds):
        for name in list(names):
            try:
                turns += turn(run, name, KNOWN[name], first=not number, folder=folder)
            except Failed as error:
                names.remove(name)
                print(f"{name}: skipped, {error}", flush=True)
    print(f"\n{table(turns)}\n{steadiness(turns)}\n")
    goals = figures(turns)
    for what, figure, wanted, good in goals:
        print(f"{what:50s} {figure:>8s}  {wanted:9s} {'' if good else 'NOT REACHED'}")
    if given.json:
        about = {"tried_packs": run.engine.tried, "machine": machine(), "turns": turns}
        given.json.write_text(json.dumps(about, indent=1))
    return 0 if all(good for *_, good in goals) else 1


def prepare(given: argparse.Namespace, program: Path, bundle: Path) -> Run:
    """The texts, their labels and the engine."""
    texts = demo_texts(1000)
    if given.texts is not None:
        texts = texts_of(given.texts)
    predictor = load_predictor(bundle)
    expected = [each.label for each in predictor.predict(texts[:COMPARED])]
    engine = Engine(bundle, texts)
    tried = ", ".join(f"{size}: {rate:.0f}" for size, rate in engine.tried.items())
    print(f"engine, texts/s by tokens of a pack (1: one text): {tried}", flush=True)
    rest = engine, given.seconds, given.peers
    return Run(program, bundle, predictor, texts, expected, *rest)


def turn(run: Run, name: str, server: Server, *, first: bool, folder: Path) -> list[dict[str, Any]]:
    """One server's turn of a round: a value for each front.

    Raises:
        Failed: If it is not installed, does not start, or gives other labels.
    """
    home = programs(server, run.peers)
    if home is None:
        raise Failed("not installed: see bench/peers/README.md")
    before = run.engine.run(run.engine.best, BESIDE_S)
    alone_ms = run.engine.alone(1.0).p50_ms
    found = []
    with started(server, run.bundle, run.predictor.spec.name, home) as running:
        same = compare(run, server, running) if first else ""
        for front in server.fronts:
            figures_of = front_figures(run, front, running, folder)
            found.append({"server": f"{name} {front.name}".strip(), "same": same, **figures_of})
        held = asdict(memory(running.process.pid))
    after = run.engine.run(run.engine.best, BESIDE_S)
    beside = {
        "rate": (before.rate + after.rate) / 2,
        "moved": abs(before.rate - after.rate) / max(before.rate, after.rate),
        "cpu_ms": (before.cpu_ms + after.cpu_ms) / 2,
    }
    installed = size_mb(home.parent) if server.environment and first else None
    for each in found:
        each |= {"remark": server.remark, "engine": beside, "alone_ms": alone_ms, "memory": held}
        each |= {"start_s": running.start_s, "installed_mb": installed}
        levels = ", ".join(f"{at}: {level['rate']:.0f}" for at, level in each["levels"].items())
        print(f"{each['server']}: {levels} requests/s; engine {beside['rate']:.0f}", flush=True)
    return found


def front_figures(run: Run, front: Front, running: Running, folder: Path) -> dict[str, Any]:
    """All measurements over one front of a running server."""
    target = _target(run, front, running, folder, texts_each=1)
    load(run.program, target, 8, WARM_S)
    levels = {str(at): load(run.program, target, at, run.seconds) for at in CONNECTIONS}
    rate = OPEN_SHARE * levels[str(CONNECTIONS[-1])]["rate"]
    late = load(run.program, target, OPEN_CONNECTIONS, run.seconds, rate)
    batches = {}
    if front.batches:
        target = _target(run, front, running, folder, texts_each=BATCH)
        for at in BATCH_CONNECTIONS:
            batches[str(at)] = BATCH * load(run.program, target, at, run.seconds / 2)["rate"]
    return {"levels": levels, "open": late, "batches": batches}


def _target(run: Run, front: Front, running: Running, folder: Path, *, texts_each: int) -> Target:
    """Where to send, with a file of requests of so many texts each."""
    model, texts = run.predictor.spec.name, run.texts
    last = len(texts) - texts_each + 1
    requests = (
        front.request(model, texts[start : start + texts_each])
        for start in range(0, last, texts_each)
    )
    path = write_requests(folder / "requests", requests)
    return Target(running.place.ports[front.port], path, front.kind, running.process.pid)


def compare(run: Run, server: Server, running: Running) -> str:
    """How many labels are the engine's, and of how many.

    Raises:
        Failed: If more than a few differ: it would not be the same model.
    """
    labels = run.predictor.spec.labels
    found = [label_in(ask(server, running.place, [text]), labels) for text in run.texts[:COMPARED]]
    same = sum(one == other for one, other in zip(found, run.expected, strict=True))
    if same < 0.95 * len(found):
        raise Failed(f"{same} of {len(found)} labels are the engine's")
    return f"{same} of {len(found)}"


def tell_size() -> int:
    """Install takeroot[serve] in a fresh environment and print its size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        line = [folder / "bin" / "python", "-m", "pip", "install", "-qq"]
        pins = ROOT / "constraints.txt"
        subprocess.run([*line, "-c", pins, f"{ROOT}[serve]"], check=True)
        sizes = package_sizes(folder)
    for each in sorted(sizes, key=lambda each: -sizes[each])[:12]:
        print(f"{each:28s} {sizes[each]:6.1f} MB")
    total = sum(sizes.values())
    short = total > MOST_MB
    print(f"takeroot[serve] {total:19.1f} MB  <= {MOST_MB} {'NOT REACHED' if short else ''}")
    return int(short)


def size_mb(environment: Path) -> float:
    """Size of what is installed in an environment."""
    return sum(package_sizes(environment).values())


def package_sizes(environment: Path) -> dict[str, float]:
    """Size, in MB, of each entry of an environment's site-packages but pip and its like."""
    (site,) = environment.glob("lib/python*/site-packages")
    found = {}
    for entry in site.iterdir():
        if entry.name.split("-")[0] in NOT_COUNTED:
            continue
        files = [entry, *entry.rglob("*")] if entry.is_dir() else [entry]
        found[entry.name] = sum(each.lstat().st_size for each in files if each.is_file()) / 1e6
    return found


def machine() -> dict[str, Any]:
    """What it was measured on."""
    packages = ("onnxruntime", "tokenizers", "numpy", "uvicorn", "uvloop", "grpcio", "msgspec")
    return {
        "processor": next(
            (
                line.partition(":")[2].strip()
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.processor(),
        ),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


if __name__ == "__main__":
    sys.exit(main())
