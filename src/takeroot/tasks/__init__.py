"""What a model can be trained to do. Adding a task: one file, one line here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from takeroot.tasks.classify import Classify
from takeroot.tasks.encode import Encoding, encode_examples
from takeroot.tasks.multilabel import MultiLabel
from takeroot.tasks.tag import Tag
from takeroot.tasks.task import Encoded, Task

TASKS: dict[str, Callable[..., Task]] = {
    "classify": Classify,
    "multilabel": MultiLabel,
    "pair": partial(Classify, name="pair"),
    "tag": Tag,
}

__all__ = [
    "TASKS",
    "Classify",
    "Encoded",
    "Encoding",
    "MultiLabel",
    "Tag",
    "Task",
    "encode_examples",
]
