"""Server-sent events: the pieces of texts that are being written, and at last the whole answer.

Each event is one ``data:`` line of JSON. Natively: ``{"input", "text"}`` for a piece, then the body
an answer that is not streamed has, then ``[DONE]``. What goes wrong after the first piece is an
event ``{"error": …}``, and nothing follows.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from takeroot.serve.faults import ServeError
from takeroot.serve.refusal import Headers, body_of
from takeroot.serve.service import Reply

CONTENT_TYPE = b"text/event-stream; charset=utf-8"
HEADERS: Headers = [(b"cache-control", b"no-cache")]

Item = tuple[int, str] | Reply[bytes]
Source = AsyncGenerator[Item]

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Form:
    """How events are written.

    Args:
        write: The data of an event; nothing where none is sent.
        refuse: The data of the event that tells what went wrong.
        end: What is sent at last where nothing did.
    """

    write: Callable[[Item], bytes]
    refuse: Callable[[ServeError], bytes]
    end: bytes = b""


class Events:
    """The events of one request.

    Args:
        first: What ``source`` gave first.
        source: Gives the rest; it is closed with the events.
        form: How they are written.
    """

    def __init__(self, first: Item, source: Source, form: Form) -> None:
        self.outcome = "ok"
        self._first, self._source, self._form = first, source, form

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The events as they are sent."""
        form = self._form
        async with aclosing(self._source):
            yield _event(form.write(self._first))
            try:
                async for item in self._source:
                    yield _event(form.write(item))
            except ServeError as error:
                self.outcome = error.code
                yield _event(form.refuse(error))
            else:
                yield form.end


def native_form(called: str) -> Form:
    """How the native API writes events; ``called`` is the request's id."""
    return Form(_native, lambda error: body_of(error, called), b"data: [DONE]\n\n")


def written(reply: Reply[bytes]) -> bytes:
    """A reply as JSON."""
    name, version = reply.model.encode(), reply.version.encode()
    answers = b",".join(reply.answers)
    return b'{"model":"%b","version":"%b","predictions":[%b]}' % (name, version, answers)


def _native(item: Item) -> bytes:
    """A piece or the whole answer."""
    if isinstance(item, Reply):
        return written(item)
    return _encode({"input": item[0], "text": item[1]})


def _event(data: bytes) -> bytes:
    """An event with this data; nothing for none."""
    return b"data: %b\n\n" % data if data else b""
