"""Column files for named entities: one token a line, a blank line between sentences.

The first column is the token, the last its tag: BIO (IOB1 and IOB2), BIOES, BILOU or IO. Columns
stand apart by tabs or, in lines without one, by blanks. Lines of blanks and tabs only are blank
lines; ``-DOCSTART-`` lines are skipped. A sentence is a row: its tokens are joined by blanks (not
between two Chinese or Japanese characters) and its tags become spans of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from takeroot.data.example import Span
from takeroot.data.limits import Limits
from takeroot.data.lines import Line, read_lines
from takeroot.data.table import Reject, Row, Table, excerpt, make_table, value_fault
from takeroot.errors import DataError

TAG = re.compile(r"(?:O|[BIESLU]-[^\s,]+)")
UNSPACED = re.compile("[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass
class _Sentence:
    """The lines since the last blank line, and the first thing wrong with them."""

    line: int
    tokens: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    chars: int = 0
    fault: str = ""


def read_conll(
    path: Path, *, encoding: str | None, limits: Limits, header: tuple[str, ...] | None
) -> Table:
    """The table with the columns ``text`` and ``entities``."""
    if header is not None:
        raise DataError(f"{path}: a conll file has no named columns; leave out {', '.join(header)}")
    rows: list[Row] = []
    rejects: list[Reject] = []
    for sentence in _sentences(read_lines(path, encoding, limits), limits):
        text, starts = join_tokens(sentence.tokens)
        if sentence.fault:
            rejects.append(Reject(sentence.line, sentence.fault, excerpt(text)))
        else:
            spans = spans_of(sentence.tokens, sentence.tags, starts)
            entities = [{"start": s.start, "end": s.end, "label": s.label} for s in spans]
            rows.append(Row(sentence.line, {"text": text, "entities": entities}))
        if len(rows) + len(rejects) > limits.rows:
            raise DataError(f"{path}: has more than {limits.rows:,} sentences; split the file")
    return make_table(path.name, ("text", "entities"), rows, rejects)


def join_tokens(tokens: Iterable[str]) -> tuple[str, list[int]]:
    """The tokens as one text, and where in it each one starts."""
    parts: list[str] = []
    starts: list[int] = []
    length, last = 0, ""
    for token in tokens:
        if last and not (_unspaced(last[-1]) and _unspaced(token[0])):
            parts.append(" ")
            length += 1
        starts.append(length)
        parts.append(token)
        length += len(token)
        last = token
    return "".join(parts), starts


def spans_of(tokens: list[str], tags: list[str], starts: list[int]) -> list[Span]:
    """Entities of a tagged sentence; an I- (E-, L-) that continues nothing begins one."""
    spans: list[Span] = []
    running = ""
    for token, tag, start in zip(tokens, tags, starts, strict=True):
        prefix, _, label = tag.partition("-")
        end = start + len(token)
        if prefix == "O":
            running = ""
            continue
        if prefix in "IEL" and running == label:
            spans[-1] = Span(spans[-1].start, end, label)
        else:
            spans.append(Span(start, end, label))
        running = "" if prefix in "ESLU" else label
    return spans


def _unspaced(character: str) -> bool:
    """Whether the character is written without blanks around it: Han, kana, full-width marks."""
    return bool(UNSPACED.match(character))


def _sentences(lines: Iterable[Line], limits: Limits) -> Iterator[_Sentence]:
    """The runs of lines between blank lines."""
    sentence: _Sentence | None = None
    for line in lines:
        if not line.text.strip():
            if sentence:
                yield sentence
            sentence = None
        elif not line.text.startswith("-DOCSTART-") and not _comment(line, sentence):
            sentence = sentence or _Sentence(line.number)
            _add(sentence, line, limits)
    if sentence:
        yield sentence


def _comment(line: Line, sentence: _Sentence | None) -> bool:
    """Whether the line is a CoNLL-U comment: before the first token, ``# key = value``."""
    return sentence is None and line.text.startswith("# ") and " = " in line.text


def _add(sentence: _Sentence, line: Line, limits: Limits) -> None:
    """Add a token line to the sentence, or say why the sentence cannot be used."""
    sentence.chars += len(line.text)
    if sentence.fault:
        return
    text = line.text.rstrip()
    columns = text.split("\t") if "\t" in text else text.split()
    token, tag = columns[0].strip(), columns[-1].strip()
    if line.over or sentence.chars > limits.field_chars:
        sentence.fault = f"sentence is longer than {limits.field_chars:,} characters"
    elif len(columns) < 2 or not token:
        sentence.fault = f"line {line.number}: needs a token and a tag, found {excerpt(text)!r}"
    elif not TAG.fullmatch(tag):
        sentence.fault = f"line {line.number}: tag {excerpt(tag)!r} is not O or B-, I-, E-, S-NAME"
    elif fault := value_fault(token + tag, limits):
        sentence.fault = f"line {line.number}: {fault}"
    else:
        sentence.tokens.append(token)
        sentence.tags.append(tag)
