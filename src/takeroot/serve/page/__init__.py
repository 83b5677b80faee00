"""The page: static files, known by name; nothing else in the folder is ever sent."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

FILES = {
    "index.html": b"text/html; charset=utf-8",
    "page.css": b"text/css; charset=utf-8",
    "page.js": b"text/javascript; charset=utf-8",
    "events.js": b"text/javascript; charset=utf-8",
}


@cache
def page_file(name: str) -> tuple[bytes, bytes] | None:
    """Content type and content of a file of the page; None if it has no such file."""
    kind = FILES.get(name)
    if kind is None:
        return None
    return kind, files(__package__).joinpath(name).read_bytes()
