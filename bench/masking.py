"""How much personal data masking finds, what it takes for personal data wrongly, and its time.

Run: python bench/masking.py [--items 20000] [--seed 0]
Every generated item is written in each of the eight formats, within a sentence. Recall is the share
of the writings that one piece of the right kind covers. Precision is the share of what was found
that is an item; an item counts once (not once a format) against all that was found wrongly, in its
own sentences and in as many look-alikes. Prints three tables; ends with 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from personal.items import Item, items, name
from personal.look_alikes import look_alikes
from personal.writings import WRITERS, write

from takeroot.privacy import Masker

RECALL, PRECISION = 0.995, 0.99
P99_512_MS, MEGABYTE_S = 2.0, 1.0
ORDINARY = (  # sentences of support messages, without personal data
    "I am still waiting on my new card, it should have come last week.",
    "How do I change the PIN? The app says that it is not possible.",
    "Thanks for your help!",
    "我的快递还没有到，请问什么时候能到？",
    "这个订单可以退款吗，我不想要了。",
)
RUNS = (  # what 1 MB texts are made of: runs in which anything may begin
    *("1", "1 ", "1.", "1-", "4 ", "86", "+1(", "(0", "１", "1\u200b", "E1234567", "13812345678"),
    *(".", "[", "[[]", "(", ")", "()", "@", "a@", "a.", "a@a.", ":", "a:", "1:", "::1 ", "[EMAIL]"),
    *("京A", "王", "e\u0301", "\u0301\u0327"),
)
DENSE = (  # and of pieces, or of what is nearly one, without anything between
    *("4111 ", "DE89 ", "(212) 555-0123 ", "+442079460958 ", "13812345678 ", "10.0.0.1 "),
    *("a@b.cn ", "2001:db8::1 ", "11010519491231002X "),
)


@dataclass
class Figures:
    """Counts by kind; ``missed`` by kind and format, ``touched`` by sort of look-alike."""

    written: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    touched: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def recall(self, kind: str) -> float:
        """Share of the kind's writings that were found."""
        return self.hits[kind] / self.written[kind]

    def precision(self, kind: str) -> float:
        """Share of what was found as this kind that is one, each item counted once."""
        return self._precise(self.hits[kind], self.wrong[kind])

    def overall(self) -> float:
        """The precision of all kinds together."""
        return self._precise(self.hits.total(), self.wrong.total())

    @staticmethod
    def _precise(hits: int, wrong: int) -> float:
        once = hits / len(WRITERS)
        return once / (once + wrong) if once else 0.0


def measure(count: int, seed: int) -> Figures:
    """Figures over ``count`` items in each format, and as many look-alikes."""
    rng = Random(seed)
    figures = Figures()
    listed = items(rng, count)
    masker = Masker(names={item.plain for item in listed if item.kind == "name"})
    for item in listed:
        for form in WRITERS:
            _count_writing(masker, figures, item, form, rng)
    for sort, sentence in look_alikes(rng, count):
        found = masker.mask(sentence).found
        figures.touched[sort] += bool(found)
        figures.wrong.update(piece.kind for piece in found)
        figures.examples += [f"{sort}: {sentence!r} {piece.kind}" for piece in found]
    return figures


def _count_writing(masker: Masker, figures: Figures, item: Item, form: str, rng: Random) -> None:
    """Count what is found in one writing of an item."""
    sentence, start, end = write(item, form, rng)
    found = masker.mask(sentence).found
    hit = any(p.start <= start and end <= p.end and p.kind == item.kind for p in found)
    figures.written[item.kind] += 1
    figures.hits[item.kind] += hit
    figures.wrong.update(p.kind for p in found if p.kind != item.kind)
    if not hit:
        figures.missed[item.kind, form] += 1
        figures.examples.append(f"{form}: {sentence!r} {[p.kind for p in found]}")


def times_ms(count: int, seed: int) -> list[float]:
    """CPU milliseconds for texts of 512 characters with three items and three look-alikes each."""
    rng = Random(seed)
    masker = Masker(names=[name(rng).plain for _ in range(1000)])
    writings = [write(item, rng.choice(list(WRITERS)), rng)[0] for item in items(rng, 2000)]
    others = [sentence for _, sentence in look_alikes(rng, 2000)]
    took = []
    for _ in range(count):
        parts = rng.sample(writings, 3) + rng.sample(others, 3) + rng.choices(ORDINARY, k=14)
        text = " ".join(rng.sample(parts, len(parts))).ljust(512, "。")[:512]
        start = time.thread_time()
        masker.mask(text)
        took.append(1000 * (time.thread_time() - start))
    return sorted(took)


def megabyte_s(piece: str, masker: Masker) -> float:
    """CPU seconds to mask 1 MB (UTF-8) of one repeated piece."""
    text = piece * (1_000_000 // len(piece.encode()))
    start = time.thread_time()
    masker.mask(text)
    return time.thread_time() - start


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="so many misses and wrong pieces")
    args = parser.parse_args()
    figures = measure(args.items, args.seed)
    good = show_figures(figures, args.items)
    print("\n".join(figures.examples[: args.show]))
    took = times_ms(2000, args.seed)
    p99 = took[int(0.99 * len(took))]
    print(f"\n512 characters: p50 {took[len(took) // 2]:.2f} ms, p99 {p99:.2f} ms")
    masker = Masker(names=[name(Random(args.seed)).plain for _ in range(1000)])
    slowest = max((megabyte_s(piece, masker), piece) for piece in RUNS)
    print(f"1 MB of one of {len(RUNS)} runs: at most {slowest[0]:.2f} s, for {slowest[1]!r}")
    dense = max((megabyte_s(piece, masker), piece) for piece in DENSE)
    print(f"1 MB of one of {len(DENSE)} pieces: at most {dense[0]:.2f} s, for {dense[1]!r}")
    mixed = "".join(Random(args.seed).choices("0123456789 -", k=1_000_000))
    print(f"1 MB of random digits, blanks and dashes: {megabyte_s(mixed, masker):.2f} s")
    return 0 if good and p99 <= P99_512_MS and slowest[0] <= MEGABYTE_S else 1


def show_figures(figures: Figures, count: int) -> bool:
    """Print recall and precision by kind; whether every figure is reached."""
    print(f"{'kind':<16} {'recall':>8} {'precision':>10}  worst format")
    good = True
    for kind in sorted(figures.written):
        recall, precision = figures.recall(kind), figures.precision(kind)
        worst = max(WRITERS, key=lambda form: figures.missed[kind, form])
        missed = figures.missed[kind, worst]
        said = f"{worst}: {missed} missed" if missed else "-"
        print(f"{kind:<16} {recall:>8.4f} {precision:>10.4f}  {said}")
        good = good and recall >= RECALL and precision >= PRECISION
    written, hits = figures.written.total(), figures.hits.total()
    print(f"{'all':<16} {hits / written:>8.4f} {figures.overall():>10.4f}  of {written} writings\n")
    print(f"look-alikes touched: {figures.touched.total()} of {count}")
    for sort, touched in figures.touched.most_common():
        print(f"  {sort:<14} {touched}")
    return good


if __name__ == "__main__":
    sys.exit(main())
