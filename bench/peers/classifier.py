"""What every peer serves: the bundle's own graph, tokenizer and packing; nothing of takeroot.

Texts of a call are put end to end into packs, as the graph wants them, so that a peer that batches
pays for no padding. BUNDLE names the bundle's folder.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class Classifier:
    """Labels for texts, on one thread."""

    def __init__(self) -> None:
        folder = Path(os.environ["BUNDLE"])
        spec = json.loads((folder / "bundle.json").read_text())
        self.labels = spec["labels"]
        self.pack_tokens = spec["pack_tokens"]
        self.offset = spec["position_offset"]
        self.temperature = spec["calibration"]["temperature"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(spec["max_tokens"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = [value.name for value in self.session.get_inputs()]
        self.predict(["warm"])

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The likeliest label of each text, and its probability."""
        plain = [unicodedata.normalize("NFKC", text) for text in texts]
        if len(plain) == 1:  # a batch of one costs more
            ids = [self.tokenizer.encode(plain[0]).ids]
        else:
            ids = [each.ids for each in self.tokenizer.encode_batch_fast(plain)]
        logits = np.concatenate([self._run(part) for part in self._packs(ids)])
        logits = (logits - logits.max(1, keepdims=True)) / self.temperature
        table = np.exp(logits)
        table /= table.sum(1, keepdims=True)
        best = table.argmax(1).tolist()
        return [
            {"label": self.labels[place], "score": float(row[place])}
            for place, row in zip(best, table, strict=True)
        ]

    def _packs(self, ids: list[list[int]]) -> Iterator[list[list[int]]]:
        """Stretches of texts of about ``pack_tokens`` tokens."""
        part: list[list[int]] = []
        for each in ids:
            if part and sum(map(len, part)) + len(each) > self.pack_tokens:
                yield part
                part = []
            part.append(each)
        yield part

    def _run(self, ids: list[list[int]]) -> np.ndarray:
        """Logits of the texts of one pack."""
        lengths = [len(each) for each in ids]
        pool = np.zeros((len(ids), sum(lengths)), np.float32)
        start = 0
        for row, length in enumerate(lengths):
            pool[row, start : start + length] = 1 / length
            start += length
        feeds = {
            "input_ids": np.concatenate(ids)[None].astype(np.int64),
            "position_ids": np.concatenate([np.arange(size) for size in lengths])[None]
            + self.offset,
            "token_type_ids": np.zeros((1, sum(lengths)), np.int64),
            "segments": np.repeat(np.arange(len(ids)), lengths)[None],
            "pool": pool,
        }
        return self.session.run(["logits"], {name: feeds[name] for name in self.inputs})[0]
