"""Compressed bodies."""

from __future__ import annotations

import gzip
import zlib

import pytest

from takeroot.serve.faults import ServeError
from takeroot.serve.packing import LEAST_BYTES, packer, unpack

BODY = b"takeroot " * 500
PACKED = gzip.compress(BODY, mtime=0)  # no time: tests are named by it
UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", PACKED),
        (b"deflate", zlib.compress(BODY)),
        (b" GZIP ", PACKED),
        (b"identity", BODY),
        (b"", BODY),
    ],
)
def test_a_body_is_unpacked(encoding: bytes, packed: bytes) -> None:
    assert unpack(packed, encoding, len(BODY)) == BODY


@pytest.mark.parametrize("encoding", [b"gzip", b"identity"])
def test_a_body_too_large_when_unpacked_is_refused(encoding: bytes) -> None:
    body = PACKED if encoding == b"gzip" else BODY

    with pytest.raises(ServeError) as caught:
        unpack(body, encoding, len(BODY) - 1)

    assert caught.value.code == "body_too_large"


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)

    with pytest.raises(ServeError, match="at most 2097152 bytes"):
        unpack(bomb, b"gzip", 2 << 20)


@pytest.mark.parametrize(
    "body",
    [b"", b"no", PACKED[:-1], PACKED + b"x", PACKED * 2],
)
def test_a_damaged_body_is_refused(body: bytes) -> None:
    with pytest.raises(ServeError) as caught:
        unpack(body, b"gzip", 1 << 20)

    assert caught.value.code == "invalid_request"


def test_another_encoding_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(ServeError, match="identity, gzip, deflate"):
        unpack(BODY, b"br", 1 << 20)


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        (b"gzip", "gzip"),
        (b"deflate", "deflate"),
        (b"gzip, deflate, br", "gzip"),
        (b"gzip;q=0.5, deflate;q=0.8", "deflate"),
        (b"gzip;q=0, deflate", "deflate"),
        (b"gzip;q=0", None),
        (b"identity, gzip;q=0.2", None),
        (b"br", None),
        (b"gzip;q=lots", None),
        (b"", None),
        (b";;;,,=,", None),
    ],
)
def test_a_response_is_packed_as_the_client_wants(accepted: bytes, wanted: str | None) -> None:
    found = packer(accepted, LEAST_BYTES)

    assert (found and found[0]) == wanted
    if found:
        assert UNPACK[found[0]](found[1](BODY)) == BODY


def test_a_small_response_is_left_as_it_is() -> None:
    assert packer(b"gzip", LEAST_BYTES - 1) is None
