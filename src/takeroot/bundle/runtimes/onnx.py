"""A packed ONNX graph, computed by as many single threads as the process may use cores.

Texts are tokenised in batches, put end to end into packs, and the packs run at once on a pool of
threads, each pack on one: on small encoders that beats many threads a pack, because nothing inside
a pack has to be synchronised. The threads share one single-thread session, whose ``run`` computes
in the thread that calls it: as fast as one session each (measured), with the weights in memory
once. While the pool computes, the caller's thread tokenises what comes next.

Shapes: N inputs, S tokens of a pack, K labels, H hidden, W words, K' tags.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from takeroot.bundle.outputs import Outputs
from takeroot.bundle.packing import Flat, flatten, pack, plan
from takeroot.bundle.runtimes.runtime import Read
from takeroot.bundle.spec import Input, Spec
from takeroot.bundle.tags import tag_names
from takeroot.bundle.tokens import Window, encode, gather, load_tokenizer, windows
from takeroot.errors import BundleError

GRAPH = "model.onnx"
TOKENIZER = "tokenizer.json"

SLOWER = ["SkipLayerNormFusion"]  # of onnxruntime's optimizers: a tenth of a run (measured)

_BATCH = 512  # inputs tokenised at a time

_Job = Future[list[np.ndarray]]


class OnnxRuntime:
    """Runs model.onnx; see the package's description of its inputs and outputs."""

    def __init__(self, spec: Spec, read: Read, *, threads: int) -> None:
        self._spec = spec
        self._pooled = spec.task != "tag"
        self._tokenizer = load_tokenizer(read(TOKENIZER), TOKENIZER)
        self._session = _open(read(GRAPH))
        self._feeds = _check(self._session, spec)
        self._wanted = ["logits", "embedding"] if self._pooled else ["logits"]
        self._pool = ThreadPoolExecutor(threads, "takeroot-onnx") if threads > 1 else None

    def with_pack_tokens(self, pack_tokens: int) -> OnnxRuntime:
        """The same session and threads, with packs of another size."""
        other = copy.copy(self)
        other._spec = self._spec.model_copy(update={"pack_tokens": pack_tokens})
        return other

    def run(self, inputs: Sequence[Input]) -> Outputs:
        """Logits and embedding of each input, or logits of each word for tag."""
        run = self._run_pooled if self._pooled else self._run_words
        return run(inputs)

    def _run_pooled(self, inputs: Sequence[Input]) -> Outputs:
        """One row of logits and one vector a text."""
        truncated: list[int] = []
        tokens: list[int] = []
        with _cancelled_on_error() as started:
            for start in range(0, len(inputs), _BATCH):
                encoded = encode(
                    self._tokenizer,
                    inputs[start : start + _BATCH],
                    max_tokens=self._spec.max_tokens,
                    normalisation=self._spec.normalisation,
                )
                truncated += [start + row for row in encoded.truncated]
                tokens += map(len, encoded.ids)
                types = encoded.types if self._spec.token_types else None
                flat = flatten(encoded.ids, types, self._spec.position_offset)
                started.extend(self._start(flat))
            parts = [future.result() for future in started]
        if not parts:
            return Outputs(np.zeros((0, len(self._spec.labels)), np.float32))
        logits, embedding = (np.concatenate(part) for part in zip(*parts, strict=True))
        return Outputs(logits, embedding, tokens=tuple(tokens), truncated=tuple(truncated))

    def _run_words(self, inputs: Sequence[Input]) -> Outputs:
        """Logits of each word, put together from the windows of each text."""
        texts = [item if isinstance(item, str) else item[0] for item in inputs]
        found: list[Window] = []
        parts: list[np.ndarray] = [np.zeros((0, len(tag_names(self._spec.labels))), np.float32)]
        with _cancelled_on_error() as started:
            for start in range(0, len(texts), _BATCH):
                batch = texts[start : start + _BATCH]
                cut = windows(self._tokenizer, batch, max_tokens=self._spec.max_tokens)
                found += [replace(window, row=start + window.row) for window in cut]
                ids = [window.ids for window in cut]
                types = [window.types for window in cut] if self._spec.word_shapes else None
                started.extend(self._start(flatten(ids, types, self._spec.position_offset)))
            parts += [future.result()[0] for future in started]
        tokens = [0] * len(texts)
        for window in found:
            tokens[window.row] += len(window.ids)
        return replace(gather(len(texts), found, np.concatenate(parts)), tokens=tuple(tokens))

    def _start(self, flat: Flat) -> list[_Job]:
        """Start computing all packs of ``flat``, in order."""
        packs = plan(flat.starts, self._spec.pack_tokens)
        if self._pool is not None and len(packs) > 1:
            return [self._pool.submit(self._compute, flat, *span) for span in packs]
        done = []
        for span in packs:  # handing one pack to another thread would only cost time
            job: _Job = Future()
            job.set_result(self._compute(flat, *span))
            done.append(job)
        return done

    def _compute(self, flat: Flat, first: int, last: int) -> list[np.ndarray]:
        """Outputs of one pack."""
        feeds = pack(flat, first, last, pooled=self._pooled)
        found: list[np.ndarray] = self._session.run(
            self._wanted, {name: feeds[name] for name in self._feeds}
        )
        return found


@contextmanager
def _cancelled_on_error() -> Iterator[list[_Job]]:
    """A list of jobs of which those not begun are dropped when anything, Ctrl-C too, goes wrong."""
    started: list[_Job] = []
    try:
        yield started
    except BaseException:
        for job in started:
            job.cancel()
        raise


def _open(model: bytes) -> Any:
    """A session with one thread that computes in the thread that calls it."""
    import onnxruntime  # costs a fifth of a second that --help must not pay

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only: they are raised anyway
    # The last level only changes convolutions, and costs a quarter of the time to open.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    try:
        session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOWER
        )
        session._model_bytes = None  # kept to open it anew on other providers: the file's size
        return session
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise BundleError(f"{GRAPH}: onnxruntime cannot load it: {error}") from error


def _check(session: Any, spec: Spec) -> list[str]:
    """The names of the graph's inputs, after checking that inputs and outputs are as agreed."""
    feeds = [value.name for value in session.get_inputs()]
    needed = {"input_ids", "position_ids", "segments"} | ({"pool"} if spec.task != "tag" else set())
    known = needed | {"token_type_ids"}
    if needed - set(feeds) or set(feeds) - known:
        raise BundleError(
            f"{GRAPH}: inputs are {feeds}; needed {sorted(needed)}, known {sorted(known)}"
        )
    outputs = {value.name: value.shape for value in session.get_outputs()}
    wanted = {"logits"} if spec.task == "tag" else {"logits", "embedding"}
    if wanted - set(outputs):
        raise BundleError(f"{GRAPH}: outputs are {sorted(outputs)}; needed {sorted(wanted)}")
    width = len(tag_names(spec.labels)) if spec.task == "tag" else len(spec.labels)
    found = outputs["logits"][-1]
    if isinstance(found, int) and found != width:
        raise BundleError(f"{GRAPH}: logits are {found} wide; bundle.json asks for {width}")
    return feeds
