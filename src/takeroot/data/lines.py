"""A text file as numbered lines: which bytes it holds, how they decode, how long a line may be.

The order is fixed and nothing is guessed: a byte-order mark decides; else the file is UTF-8 if all
of it is valid UTF-8; else the declared encoding is used; else it is an error that names the first
bad byte. UTF-16 and UTF-32 without a mark are used where declared (their ASCII is valid UTF-8).
"""

from __future__ import annotations

import codecs
import io
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from takeroot.data.limits import Limits
from takeroot.errors import DataError

ENCODINGS = (
    "utf-8",
    "gb18030",
    "gbk",
    "big5",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "cp1252",
    "cp1251",
    "shift_jis",
    "euc-jp",
    "euc-kr",
)
MARKS = (  # longest first: the UTF-32 mark begins with the UTF-16 one
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = (
    (b"PK\x03\x04", "a zip archive (an .xlsx workbook is one too)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document (.xls, .doc)"),
    (b"%PDF-", "a PDF document"),
    (b"PAR1", "a parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x89PNG", "a PNG image"),
    (b"\x7fELF", "a program"),
    (b"\x80\x04\x95", "a Python pickle"),
)
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    r"""One line of a file.

    Args:
        number: Counted from 1.
        text: Its characters without the line break; cut where ``over``.
        end: The line break: ``\n``, ``\r\n``, ``\r`` or nothing at the end of the file.
        over: Whether it is longer than allowed.
    """

    number: int
    text: str
    end: str
    over: bool = False


@contextmanager
def open_regular(path: Path, limits: Limits) -> Iterator[BinaryIO]:
    """The file opened for reading.

    Raises:
        DataError: If it is missing, unreadable, not a regular file, empty, or too large.
    """
    if "\0" in str(path):
        raise DataError(f"{str(path)!r}: is not a path")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path}: is not a regular file")
        stream = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with stream:
        if status.st_size == 0:
            raise DataError(f"{path}: is empty")
        if status.st_size > limits.file_bytes:
            size, most = status.st_size, limits.file_bytes
            raise DataError(f"{path}: {size:,} bytes; at most {most:,} are read, split the file")
        yield stream


def read_lines(path: Path, encoding: str | None, limits: Limits) -> Generator[Line, None, None]:
    """The lines of ``path``, decoded, one at a time.

    Raises:
        DataError: If the file cannot be opened or decoded, or is no text file.
    """
    blank = 0
    with open_text(path, encoding, limits) as text:
        for line in _lines(text, limits.record_chars):
            blank = 0 if line.text and not line.text.isspace() else blank + 1
            if blank > limits.blank_lines:
                raise DataError(f"{path}:{line.number}: {blank:,} blank lines in a row")
            yield line


def read_text(path: Path, encoding: str | None, limits: Limits, most: int) -> str:
    """All of the file, decoded, with its own line breaks.

    Raises:
        DataError: As ``read_lines``; also if it has more than ``most`` characters.
    """
    with open_text(path, encoding, limits) as text:
        content = text.read(most + 1)
    if len(content) > most:
        raise DataError(f"{path}: has more than {most:,} characters; save it as .jsonl or .csv")
    return content


@contextmanager
def open_text(path: Path, encoding: str | None, limits: Limits) -> Iterator[io.TextIOWrapper]:
    """The file opened and decoded by the rule above; reading it may raise ``DataError``."""
    with open_regular(path, limits) as stream:
        codec, errors = _codec(path, stream, encoding)
        stream.seek(0)
        with io.TextIOWrapper(stream, encoding=codec, errors=errors, newline="") as text:
            try:
                yield text
            except UnicodeError as error:
                reason = error.reason if isinstance(error, UnicodeDecodeError) else error
                raise DataError(
                    f"{path}: has bytes that are not {codec}: {reason}; save it as UTF-8"
                ) from error


def _lines(text: io.TextIOWrapper, most: int) -> Iterator[Line]:
    """Lines of at most ``most`` characters; what is beyond is skipped in pieces."""
    number, carry = 0, ""
    while piece := carry + text.readline(most):
        carry = ""
        number += 1
        body = piece.rstrip("\r\n") if piece[-1] in "\r\n" else piece
        end = piece[len(body) :]
        if len(piece) >= most and not end.endswith("\n"):
            end, carry = _skip(text, piece, most)
            yield Line(number, body, end, over=len(body) >= most or end == "")
        else:
            yield Line(number, body, end)


def _skip(text: io.TextIOWrapper, piece: str, most: int) -> tuple[str, str]:
    """The line break that ends a cut line, and the first character of the next line if taken."""
    while not piece.endswith(("\n", "\r")):
        piece = text.readline(most)
        if not piece:
            return "", ""
    if piece.endswith("\r") and len(piece) >= most:
        following = text.readline(1)
        return ("\r\n", "") if following == "\n" else ("\r", following)
    return ("\r\n" if piece.endswith("\r\n") else piece[-1]), ""


def _codec(path: Path, stream: BinaryIO, declared: str | None) -> tuple[str, str]:
    """Codec name and error handler by which ``stream`` is read.

    Bytes that a *declared* encoding cannot decode become lone surrogates, so that only their rows
    are rejected.
    """
    wanted = None if declared is None else _known(declared)
    head = stream.read(4096)
    codec = next((codec for mark, codec in MARKS if head.startswith(mark)), None)
    if codec is not None and codec != "utf-8-sig":
        return codec, "strict"
    _check_kind(path, head)
    if codec is None and wanted is not None and wanted.startswith(("utf-16", "utf-32")):
        return wanted, "strict"
    _check_nul(path, head)
    try:
        _check_utf8(path, stream)
    except DataError:
        if wanted is None:
            raise
        return codec or wanted, "surrogateescape"
    return codec or "utf-8", "strict"


def _check_kind(path: Path, head: bytes) -> None:
    """The file does not begin like a well-known binary format."""
    for magic, what in MAGIC:
        if head.startswith(magic):
            raise DataError(f"{path}: is {what}, not a text file; unpack or export it as UTF-8 csv")


def _check_nul(path: Path, head: bytes) -> None:
    """The file does not look like UTF-16 without a mark."""
    if head.count(0) > len(head) // 5:
        raise DataError(
            f"{path}: a large part of it is NUL bytes; if it is UTF-16 without a byte-order mark, "
            "declare the encoding: utf-16-le or utf-16-be"
        )


def _known(encoding: str) -> str:
    """The encoding's name in ``ENCODINGS``."""
    name = encoding.strip().lower().replace("_", "-")
    aliases = {"utf8": "utf-8", "utf-8-sig": "utf-8", "iso-8859-1": "latin-1", "gb2312": "gbk"}
    aliases |= {"latin1": "latin-1", "shift-jis": "shift_jis", "sjis": "shift_jis", "cp936": "gbk"}
    name = aliases.get(name, name)
    if name not in ENCODINGS:
        raise DataError(f"encoding {encoding!r} is not one of: {', '.join(ENCODINGS)}")
    return name


def _check_utf8(path: Path, stream: BinaryIO) -> None:
    """Read all of ``stream`` and raise ``DataError`` at the first byte that is not UTF-8."""
    stream.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, line = 0, 1
    while True:
        chunk = stream.read(CHUNK_BYTES)
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            bad = error.object[error.start]
            # The decoder puts held-back bytes of the chunk before in front of this chunk.
            held = len(error.object) - len(chunk)
            at = offset - held + error.start
            line += chunk.count(b"\n", 0, max(0, error.start - held))
            raise DataError(
                f"{path}:{line}: byte 0x{bad:02X} at offset {at} is not UTF-8; declare the "
                "encoding (gb18030, utf-16, latin-1 …), or utf-8 to reject such rows only"
            ) from error
        if not chunk:
            return
        offset += len(chunk)
        line += chunk.count(b"\n")
