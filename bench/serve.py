"""Requests a second of ``takeroot serve`` beside the bare engine, on the same bundle and texts.

Run: python bench/serve.py [--bundle FOLDER] [--texts FILE.csv] [--seconds 8] [--rounds 3]
One text a request over kept-alive connections, at 1, 8 and 32 of them; the load generator is a
process of its own on the same cores, so its own share of them is lost to the server. Rounds are
interleaved with the engine's; medians are printed, with the server's CPU time a request.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

from predict import demo_bundle, demo_texts

from takeroot.bundle import load_predictor

CONNECTIONS = (1, 8, 32)


def requests(model: str, texts: list[str]) -> list[bytes]:
    """One request a text, as it goes over the wire."""
    found = []
    for text in texts:
        body = json.dumps({"inputs": [text], "options": {"top_k": 1}}).encode()
        head = (
            f"POST /v1/models/{model}/predict HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


async def one(address: tuple[str, int], sent: list[bytes], end: float, times: list[float]) -> None:
    """Send one request after the other until the time is over."""
    reader, writer = await asyncio.open_connection(*address)
    place = 0
    while (start := time.perf_counter()) < end:
        writer.write(sent[place % len(sent)])
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:60]
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        times.append(time.perf_counter() - start)
        place += 1
    writer.close()


def drive(
    address: tuple[str, int], sent: list[bytes], connections: int, seconds: float
) -> list[float]:
    """Times of all requests; run in a process of its own."""

    async def every() -> list[float]:
        times: list[float] = []
        end = time.perf_counter() + seconds
        await asyncio.gather(
            *(one(address, sent[k::connections], end, times) for k in range(connections))
        )
        return times

    return asyncio.run(every())


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def cpu_s(pid: int) -> float:
    """CPU time of a process and its children that run."""
    spent = 0.0
    for each in family(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        spent += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bundle", type=Path, help="Without it, one with a random head.")
    parser.add_argument("--texts", type=Path, help="A csv with a column text; else demo texts.")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(given, given.bundle or demo_bundle(Path(folder) / "bundle").path)


def measure(given: argparse.Namespace, bundle: Path) -> None:
    """Serve a bundle, and compare with the engine in this process."""
    texts = demo_texts(1000)
    if given.texts is not None:
        with given.texts.open(encoding="utf-8", newline="") as stream:
            texts = [row["text"] for row in csv.DictReader(stream)]
    predictor = load_predictor(bundle)
    tool = Path(sys.executable).with_name("takeroot")
    line = [tool, "serve", bundle, "--port", "0", "--grpc-port", "-1", "--json"]
    began = time.perf_counter()
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    place = urlsplit(json.loads(server.stdout.readline())["rest"])
    print(f"ready after {time.perf_counter() - began:.2f} s")
    sent = requests(predictor.spec.name, texts)
    engine, rates = [], {}
    with get_context("spawn").Pool(1) as pool:
        for _ in range(given.rounds):
            start = time.perf_counter()
            predictor.outputs(texts)
            engine.append(len(texts) / (time.perf_counter() - start))
            for connections in CONNECTIONS:
                before = cpu_s(server.pid)
                job = ((place.hostname, place.port), sent, connections, given.seconds)
                times = sorted(pool.apply(drive, job))
                spent = (cpu_s(server.pid) - before) / len(times)
                p50, p99 = (1000 * times[int(q * (len(times) - 1))] for q in (0.5, 0.99))
                found = (len(times) / given.seconds, p50, p99, 1000 * spent)
                rates.setdefault(connections, []).append(found)
    pages = sum(
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in family(server.pid)
    )
    server.terminate()
    server.wait()
    tell(statistics.median(engine), pages * os.sysconf("SC_PAGE_SIZE") / 1e6, rates)


def tell(bare: float, memory_mb: float, rates: dict[int, list[tuple[float, ...]]]) -> None:
    """Print the medians."""
    print(f"engine {bare:.0f} texts/s; server {memory_mb:.0f} MB resident")
    for connections, found in rates.items():
        rate, p50, p99, spent = (statistics.median(column) for column in zip(*found, strict=True))
        print(
            f"{connections:3} connections: {rate:6.0f} requests/s ({rate / bare:.0%} of the engine)"
            f"  p50 {p50:.1f} ms  p99 {p99:.1f} ms  server CPU {spent:.2f} ms a request"
        )


if __name__ == "__main__":
    main()
