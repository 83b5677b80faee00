"""Reads .proto files, as far as ours go: proto3 messages, enums, oneofs, maps and services.

The files beside this module are the one description of the messages; they need no compiler at
build time, and none of its output is kept. Options and extensions are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2

_TOKEN = re.compile(r"""//[^\n]*|("[^"]*"|[A-Za-z_][\w.]*|\d+|\S)|\s+""")
_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in _FIELD.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def parse(text: str, name: str) -> Any:
    """The ``FileDescriptorProto`` of a .proto file.

    Args:
        text: What the file says.
        name: Its name, under which other files import it.

    Raises:
        ValueError: At what cannot be read.
    """
    tokens = _Tokens(text, name)
    file = descriptor_pb2.FileDescriptorProto(name=name, syntax="proto3")
    while (word := tokens.next()) is not None:
        if word == "syntax":
            tokens.expect("=", '"proto3"', ";")
        elif word == "package":
            file.package = tokens.until(";")
        elif word == "import":
            file.dependency.append(tokens.until(";").strip('"'))
        elif word == "message":
            _message(tokens, file.message_type.add())
        elif word == "enum":
            _enum(tokens, file.enum_type.add())
        elif word == "service":
            _service(tokens, file.service.add())
        else:
            raise tokens.error(word)
    return file


class _Tokens:
    """The words of a file, one after the other."""

    def __init__(self, text: str, name: str) -> None:
        found = (match[1] for match in _TOKEN.finditer(text))
        self._words: Iterator[str] = filter(None, found)
        self._name = name

    def next(self) -> str | None:
        """The next word; None at the end."""
        return next(self._words, None)

    def until(self, end: str) -> str:
        """The one word before ``end``."""
        word = self.next() or "the end"
        self.expect(end)
        return word

    def expect(self, *words: str) -> None:
        """Pass over these words."""
        for word in words:
            found = self.next()
            if found != word:
                raise self.error(found, word)

    def body(self) -> Iterator[str]:
        """First words of the statements in { }."""
        self.expect("{")
        while (word := self.next()) != "}":
            if word is None:
                raise self.error(word, "}")
            yield word

    def error(self, found: str | None, wanted: str = "a statement") -> ValueError:
        """What to raise at an unexpected word."""
        return ValueError(f"{self._name}: {found!r} where {wanted!r} is expected")


def _message(tokens: _Tokens, message: Any) -> None:
    """Read a message, from its name on."""
    message.name = tokens.next()
    for word in tokens.body():
        if word == "message":
            _message(tokens, message.nested_type.add())
        elif word == "enum":
            _enum(tokens, message.enum_type.add())
        elif word == "oneof":
            message.oneof_decl.add(name=tokens.next())
            for kind in tokens.body():
                _field(tokens, message, kind).oneof_index = len(message.oneof_decl) - 1
        elif word == "map":
            _map(tokens, message)
        elif word == "repeated":
            field = _field(tokens, message, tokens.next() or "")
            field.label = _FIELD.LABEL_REPEATED
        else:
            _field(tokens, message, word)


def _field(tokens: _Tokens, message: Any, kind: str) -> Any:
    """Read a field, after its type."""
    field = message.field.add(name=tokens.next(), label=_FIELD.LABEL_OPTIONAL)
    tokens.expect("=")
    field.number = int(tokens.until(";"))
    _set_type(field, kind)
    return field


def _set_type(field: Any, kind: str) -> None:
    """A scalar type, or a name that the pool resolves in the field's scope."""
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type_name = kind


def _map(tokens: _Tokens, message: Any) -> None:
    """Read a map: on the wire a repeated message of key and value."""
    tokens.expect("<")
    key = tokens.until(",")
    value = tokens.until(">")
    field = _field(tokens, message, "")
    field.label = _FIELD.LABEL_REPEATED
    entry = message.nested_type.add(name=_entry_name(field.name))
    entry.options.map_entry = True
    field.type_name = entry.name
    for number, (part, kind) in enumerate((("key", key), ("value", value)), start=1):
        _set_type(entry.field.add(name=part, number=number, label=_FIELD.LABEL_OPTIONAL), kind)


def _entry_name(field: str) -> str:
    """The name protoc gives a map's entries."""
    return "".join(part.capitalize() for part in field.split("_")) + "Entry"


def _enum(tokens: _Tokens, enum: Any) -> None:
    """Read an enum, from its name on."""
    enum.name = tokens.next()
    for word in tokens.body():
        tokens.expect("=")
        enum.value.add(name=word, number=int(tokens.until(";")))


def _service(tokens: _Tokens, service: Any) -> None:
    """Read a service, from its name on."""
    service.name = tokens.next()
    for word in tokens.body():
        if word != "rpc":
            raise tokens.error(word, "rpc")
        method = service.method.add(name=tokens.next())
        method.input_type, method.client_streaming = _side(tokens)
        tokens.expect("returns")
        method.output_type, method.server_streaming = _side(tokens)
        tokens.expect(";")


def _side(tokens: _Tokens) -> tuple[str, bool]:
    """What goes one way in a call, and whether it is a stream."""
    tokens.expect("(")
    word = tokens.next() or ""
    if word == "stream":
        return tokens.until(")"), True
    tokens.expect(")")
    return word, False
