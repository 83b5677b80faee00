from __future__ import annotations

import sys
import tracemalloc

from hypothesis import example, given
from hypothesis import strategies as some

from takeroot.serve.cache import Cache, Kept

TEXT = some.text(max_size=3)
ITEMS = some.one_of(TEXT, some.tuples(TEXT, TEXT))
ASKED = some.tuples(
    ITEMS, some.sampled_from(["json", "answers"]), some.none() | some.integers(0, 12)
)


@given(ASKED, ASKED)
def test_only_the_same_text_asked_for_in_the_same_way_has_the_same_key(one, other) -> None:
    cache = Cache(10, 10_000)

    assert (cache.key(*one) == cache.key(*other)) == (one == other)


def test_a_key_says_nothing_to_who_does_not_know_the_secret_of_its_cache() -> None:
    assert Cache(1, 1000).key("a", "json", None) != Cache(1, 1000).key("a", "json", None)


STEPS = some.lists(
    some.tuples(some.sampled_from(["put", "get"]), some.integers(0, 4), some.integers(0, 900)),
    max_size=60,
)


@given(STEPS, some.integers(1, 5))
@example([("put", 1, 9), ("put", 2, 9), ("get", 1, 0), ("put", 3, 9)], 2)
def test_the_answers_used_last_are_kept(steps, entries) -> None:
    cache, expected = Cache(entries, 1 << 20), dict[bytes, Kept]()

    for verb, number, size in steps:
        key = b"%d" % number
        if verb == "put":
            expected.pop(key, None)
            expected[key] = Kept(b"x" * size, size, False)
            cache.put(key, expected[key])
            for oldest in list(expected)[:-entries]:
                del expected[oldest]
        else:
            found = cache.get(key)
            assert found == expected.get(key)
            if found is not None:
                expected[key] = expected.pop(key)

    assert len(cache) == len(expected)
    assert all(cache.get(key) == kept for key, kept in expected.items())


@given(STEPS)
def test_no_more_memory_is_taken_than_may_be(steps) -> None:
    cache = Cache(1000, 2000)
    kept: dict[bytes, Kept] = {}

    for _, number, size in steps:
        kept[b"%d" % number] = Kept(b"x" * 4 * size, 1, False)
        cache.put(b"%d" % number, kept[b"%d" % number])
        left = [key for key in kept if cache.get(key) is not None]

        assert cache.size_bytes <= 2000
        assert len(left) == len(cache)
        assert (cache.size_bytes == 0) == (not left)


def test_the_memory_it_says_it_takes_is_what_it_takes() -> None:
    cache = Cache(100_000, 1 << 30)
    tracemalloc.start()

    for number in range(5000):
        key = cache.key(f"text {number}", "json", None)
        cache.put(key, Kept(bytes(200 + number % 50), 10_000 + number, True))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 0.8 < cache.size_bytes / taken < 1.25, sys.version
