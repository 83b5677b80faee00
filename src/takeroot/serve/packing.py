"""Compressed bodies: gzip and deflate, unpacked within a limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial

from takeroot.serve.faults import ServeError

LEAST_BYTES = 1024  # a smaller body does not gain what it costs
_LEVEL = 1
_WINDOW = {"gzip": 31, "deflate": 15}  # zlib's wbits: with a gzip or a zlib header


def unpack(body: bytes, encoding: bytes, most: int) -> bytes:
    """The body as it was before it was compressed.

    Args:
        body: As it came.
        encoding: The header Content-Encoding.
        most: Most bytes it may have then.

    Raises:
        ServeError: unsupported_media_type, body_too_large, or invalid_request if it is damaged.
    """
    name = encoding.strip().lower().decode("latin-1")
    if name in ("", "identity"):
        plain = body
    elif name in _WINDOW:
        plain = _inflate(body, _WINDOW[name], most)
    else:
        raise ServeError("unsupported_media_type", known=["identity", *_WINDOW])
    if len(plain) > most:
        raise ServeError("body_too_large", limit=most)
    return plain


def _inflate(body: bytes, window: int, most: int) -> bytes:
    """What was compressed, or ``most`` + 1 bytes of it."""
    packed = zlib.decompressobj(window)
    try:
        plain = packed.decompress(body, most + 1)
    except zlib.error as error:
        raise ServeError("invalid_request", reason="the compressed body is damaged") from error
    if len(plain) <= most and (not packed.eof or packed.unused_data):
        reason = "the compressed body is cut off, or something follows it"
        raise ServeError("invalid_request", reason=reason)
    return plain


def packer(accepted: bytes, size: int) -> tuple[str, Callable[[bytes], bytes]] | None:
    """How to compress a body for a client, if that is worth while.

    Args:
        accepted: The header Accept-Encoding.
        size: Bytes of the body.

    Returns:
        The encoding's name and what does it; None to send the body as it is.
    """
    if not accepted or size < LEAST_BYTES:
        return None
    weights = dict(map(_weight, accepted.decode("latin-1").lower().split(",")))
    for name in sorted(_WINDOW, key=lambda each: -weights.get(each, 0.0)):
        if weights.get(name, 0.0) > 0 and weights[name] >= weights.get("identity", 0.0):
            return name, partial(zlib.compress, level=_LEVEL, wbits=_WINDOW[name])
    return None


def _weight(item: str) -> tuple[str, float]:
    """Name and weight of one accepted encoding; weight 0 where it cannot be read."""
    name, _, parameter = item.partition(";")
    key, _, value = parameter.strip().partition("=")
    if not parameter:
        return name.strip(), 1.0
    try:
        return name.strip(), float(value) if key.strip() == "q" else 1.0
    except ValueError:
        return name.strip(), 0.0
