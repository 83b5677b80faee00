"""Read mutated csv and jsonl files: no traceback, no hang, bounded memory, every row accounted for.

Run: python bench/fuzz_readers.py [--files 10000] [--seed 0]
Prints one table; ends with 1 if a figure is not reached.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import re
import resource
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from takeroot.data import build, infer, read
from takeroot.data.table import Table
from takeroot.errors import DataError

LIMIT_S = 5.0
LIMIT_MB = 512
HUGE_BYTES = 100 * 1024**2
HUGE_EVERY = 1_000  # one of so many files is a 100 MB one

TEXTS = (
    "I am still waiting on my card",
    'She said "no", twice',
    "two\nlines",
    "为什么还没有收到货",
    "café, naïve; 20 €",
    "😀 emoji",
    "tab\there",
    "",
)
LABELS = ("card", "refund", "收货", "a,b", "other")
Mutation = Callable[[random.Random, bytes, str], bytes]


@dataclass
class Outcome:
    """What became of the files so far."""

    files: int = 0
    read: int = 0
    used: int = 0
    refused: int = 0
    rows_in: int = 0
    rejected: int = 0
    slowest_s: float = 0.0
    slowest: str = ""
    failures: list[str] = field(default_factory=list)


class HangError(Exception):
    """A file took longer than allowed."""


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="Leave the 100 MB files out.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(options.files, options.seed, Path(folder), huge=not options.quick)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = {
        "files": f"{outcome.files:,}",
        "read": f"{outcome.read:,}",
        "of these with usable examples": f"{outcome.used:,}",
        "refused with one clear line": f"{outcome.refused:,}",
        "rows in": f"{outcome.rows_in:,}",
        "rows rejected with line and reason": f"{outcome.rejected:,}",
        "tracebacks, hangs, rows not accounted for": f"{len(outcome.failures):,}",
        "slowest file": f"{outcome.slowest_s:.2f} s ({outcome.slowest})",
        "peak memory": f"{peak_mb:.0f} MB (allowed: {LIMIT_MB})",
    }
    for name, value in rows.items():
        print(f"{name:<42} {value}")
    for failure in outcome.failures[:20]:
        print("FAILED", failure, file=sys.stderr)
    return int(bool(outcome.failures) or peak_mb > LIMIT_MB)


def run(files: int, seed: int, folder: Path, *, huge: bool = True) -> Outcome:
    """Mutate and read ``files`` files; each is named by its number, so a failure can be redone."""
    outcome = Outcome()
    before = signal.signal(signal.SIGALRM, _hang)
    try:
        for number in range(files):
            rng = random.Random(f"{seed}-{number}")
            kind = rng.choice(("csv", "jsonl"))
            path = folder / f"{number}.{kind}"
            if huge and number % HUGE_EVERY == 0:
                name = _write_huge(rng, path)
            else:
                name = _write_mutated(rng, path)
            _try(outcome, path, f"{number} {kind} {name}", rng)
            path.unlink()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return outcome


def _try(outcome: Outcome, path: Path, name: str, rng: random.Random) -> None:
    """Read one file and judge the result."""
    outcome.files += 1
    encoding = rng.choice((None, None, None, "utf-8", "gb18030", "latin-1", "utf-16"))
    start = time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        table = read(path, encoding=encoding)
        seconds = time.perf_counter() - start
        _judge(outcome, table, path, name)
        outcome.used += _used(table)
    except DataError as error:
        seconds = time.perf_counter() - start
        outcome.refused += 1
        if len(str(error).splitlines()) != 1:
            outcome.failures.append(f"{name}: message is not one line: {error!r}")
    except HangError:
        seconds = LIMIT_S
        outcome.failures.append(f"{name}: longer than {LIMIT_S} s")
    except Exception as error:  # the very thing that is counted
        seconds = time.perf_counter() - start
        outcome.failures.append(f"{name}: {type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if seconds > outcome.slowest_s:
        outcome.slowest_s, outcome.slowest = seconds, name


def _used(table: Table) -> bool:
    """Whether examples can be made of the table; if not, that is one clear error, too."""
    ends = {"text": table.columns[0], "label": table.columns[-1]} if table.columns else {}
    try:
        build(table, infer(table, **ends))
    except DataError:
        return False
    return True


def _judge(outcome: Outcome, table: Table, path: Path, name: str) -> None:
    """Rows are accounted for: by the sum, and where they can be counted apart, by that count."""
    outcome.read += 1
    outcome.rows_in += table.rows_in
    outcome.rejected += len(table.rejects)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if table.rows_in != len(table.rows) + len(table.rejects):
        outcome.failures.append(f"{name}: rows are not accounted for")
    if any(reject.line < 1 or not reject.reason for reject in table.rejects):
        outcome.failures.append(f"{name}: a reject without line or reason")
    counted = _rows_of(path)
    if counted is not None and counted != table.rows_in:
        outcome.failures.append(f"{name}: {counted} lines with text, {table.rows_in} rows")


def _rows_of(path: Path) -> int | None:
    """How many rows the file has, told without the reader; None where quotes make that hard."""
    if path.stat().st_size > 10 * 1024**2:
        return None
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = re.split("\r\n|\r|\n", text)
    if path.suffix == ".jsonl":
        return sum(bool(line.strip()) for line in lines)
    return None if '"' in text else sum(bool(line) for line in lines) - 1


def _write_mutated(rng: random.Random, path: Path) -> str:
    """A small file with one to three mutations; gives their names."""
    content = _rows(rng, path.suffix[1:]).encode()
    names = rng.sample(list(MUTATIONS), rng.randint(1, 3))
    for name in names:
        content = MUTATIONS[name](rng, content, path.suffix[1:])
    path.write_bytes(content)
    return "+".join(names)


def _rows(rng: random.Random, kind: str) -> str:
    pairs = [(rng.choice(TEXTS), rng.choice(LABELS)) for _ in range(rng.randint(0, 60))]
    if kind == "jsonl":
        rows = (
            json.dumps({"text": t, "label": n}, ensure_ascii=rng.random() < 0.5) for t, n in pairs
        )
        return "\n".join(rows) + "\n"
    return "text,label\n" + "".join(f"{_quoted(rng, t)},{_quoted(rng, n)}\n" for t, n in pairs)


def _quoted(rng: random.Random, value: str) -> str:
    if rng.random() < 0.3 or any(mark in value for mark in ',"\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


def _write_huge(rng: random.Random, path: Path) -> str:
    """A 100 MB file, written piece by piece."""
    name = rng.choice(list(HUGE))
    head, piece, tail = HUGE[name]
    with path.open("wb") as file:
        file.write(head)
        for _ in range(HUGE_BYTES // (len(piece) * 1024)):
            file.write(piece * 1024)
        file.write(tail)
    return name


def _flip(rng: random.Random, content: bytes, kind: str) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8) if changed else 0):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(*pieces: bytes) -> Mutation:
    def mutate(rng: random.Random, content: bytes, kind: str) -> bytes:
        for _ in range(rng.randint(1, 5)):
            place = rng.randint(0, len(content))
            content = content[:place] + rng.choice(pieces) + content[place:]
        return content

    return mutate


def _recode(encoding: str) -> Mutation:
    def mutate(rng: random.Random, content: bytes, kind: str) -> bytes:
        return content.decode("utf-8", "replace").encode(encoding, "replace")

    return mutate


def _newlines(rng: random.Random, content: bytes, kind: str) -> bytes:
    ends = (b"\n", b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xe2\x80\xa8")
    return b"".join(line + rng.choice(ends) for line in content.split(b"\n"))


def _shuffle(rng: random.Random, content: bytes, kind: str) -> bytes:
    lines = content.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


def _zip(rng: random.Random, content: bytes, kind: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("data.csv", content)
    return packed.getvalue()


def _json_traps(rng: random.Random, content: bytes, kind: str) -> bytes:
    depth = rng.choice((10, 2_000, 100_000))
    traps = (
        b"[" * depth + b"]" * depth,
        b'{"a":' * depth + b"1" + b"}" * depth,
        b'{"text": "a", "text": "b", "label": "c"}',
        b'{"text": NaN, "label": Infinity}',
        b'{"text": 1e999, "label": "x"}',
        b'{"text": ' + b"9" * 5_000 + b"}",
        b'{"text": "\\ud800", "label": "x"}',
        b'{"text": "\\u0000", "label": "x"}',
        b'{"\\udfff": 1}',
        b"{}",
        b"null",
        b'"text"',
        b'{"text": {"a": [1, {"b": null}]}, "label": ["x", ["y"]]}',
    )
    return content + b"\n".join(rng.sample(traps, 4)) + b"\n"


MUTATIONS: dict[str, Mutation] = {
    "bit flips": _flip,
    "truncated": lambda rng, content, kind: content[: rng.randint(0, len(content))],
    "quotes": _insert(b'"', b'""', b'"""', b"'", b'\\"', b',"', b'",'),
    "separators": _insert(b",", b";", b"\t", b",,,,", b"{", b"}", b"[", b":"),
    "nul": _insert(b"\0", b"\0\0\0\0"),
    "controls": _insert(b"\x1a", b"\x0c", b"\x7f", b"\xc2\x85", b"\xe2\x80\xae", b"\xef\xbb\xbf"),
    "bad bytes": _insert(b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\x80"),
    "newlines": _newlines,
    "byte-order mark": lambda rng, content, kind: b"\xef\xbb\xbf" + content,
    "utf-16": _recode("utf-16"),
    "utf-16-le": _recode("utf-16-le"),
    "utf-32": _recode("utf-32"),
    "gb18030": _recode("gb18030"),
    "latin-1": _recode("latin-1"),
    "shuffled": _shuffle,
    "doubled": lambda rng, content, kind: content * rng.randint(2, 5),
    "random bytes": lambda rng, content, kind: rng.randbytes(rng.randint(0, 4_000)),
    "zip": _zip,
    "gzip": lambda rng, content, kind: gzip.compress(content),
    "json traps": _json_traps,
    "long field": _insert(b"x" * 70_000, "长".encode() * 70_000),
    "many columns": _insert(b"," * 100_000, b"\t" * 100_000),
    "quoted lines": lambda rng, content, kind: content + b'a","\n' * rng.randint(1, 3_000),
}
HUGE: dict[str, tuple[bytes, bytes, bytes]] = {  # head, repeated piece, tail
    "100 MB line": (b"text,label\na,b\n", b"x" * 64, b"\nc,d\n"),
    "100 MB quoted field": (b'text,label\na,b\n"', b"x y " * 16, b'",z\nc,d\n'),
    "100 MB of quotes": (b"text,label\n", b'"' * 64, b"\nc,d\n"),
    "100 MB json text": (b'{"text": "a", "label": "b"}\n{"text": "', b"x" * 64, b'"}\n{"a": 1}\n'),
    "100 MB json array": (b'{"text": [', b"1," * 32, b"1]}\n"),
    "millions of columns in the header": (b"text,label", b",a" * 32, b"\n"),
    "millions of columns in a row": (b"text,label\na,b\n", b",a" * 32, b"\nc,d\n"),
    "100 MB of blank lines": (b"text,label\na,b\n", b"\n" * 64, b"c,d\n"),
    "100 MB of NUL": (b"text,label\na,b\n", b"\0" * 64, b"\n"),
    "100 MB without a line break": (b"", b"abcdefg " * 8, b""),
}


def _hang(number: int, frame: FrameType | None) -> None:
    raise HangError


if __name__ == "__main__":
    sys.exit(main())
