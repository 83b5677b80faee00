"""Personal data: what is found, what is not, and that hostile texts cost nothing."""

from __future__ import annotations

import pytest

from takeroot.privacy import RECOGNISERS, count, find

TRUE = {
    "email": ["mail ann.b+c@mail.example.co.uk now", "我的邮箱是li@example.cn，谢谢"],
    "resident_id_cn": [
        "身份证11010519491231002X",
        "id 440524188001010014"[:3] + "11010519491231002x",
    ],
    "card": ["4111 1111 1111 1111", "amex 378282246310005.", "银联6212345678901232"],
    "mobile_cn": ["手机13812345678", "+86 138-1234-5678"],
    "phone": ["call +44 20 7946 0958", "(212) 555-0123", "电话 010-12345678"],
    "ipv4": ["from 192.168.0.255:8080"],
    "ipv6": ["at 2001:db8::8a2e:370:7334 ."],
}
FALSE = [
    "an @ sign, a@b and user@localhost",
    "card 4111 1111 1111 1112",
    "order 1234567890123456",
    "id 110105194912310021 and 110105194913310025",
    "on 2024-05-01 12:30:45 at 10:20",
    "version 1.2.3 and 300.1.2.3",
    "it costs 1,234,567.89 or 12345678",
    "ratio 12:30:45:50",
    "a 12-digit number 138123456789",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in TRUE for text in TRUE[kind]])
def test_each_kind_is_found_alone(kind, text):
    assert [item.kind for item in find(text)] == [kind]


@pytest.mark.parametrize("text", FALSE)
def test_what_only_looks_like_it_is_not_found(text):
    assert find(text) == []


def test_offsets_are_those_of_the_text():
    text = "请发到 ann@example.com 或 13812345678"

    assert [text[item.start : item.end] for item in find(text)] == [
        "ann@example.com",
        "13812345678",
    ]


def test_overlapping_kinds_are_counted_once():
    assert count(["身份证11010519491231002X，电话13812345678"]) == {
        **dict.fromkeys(RECOGNISERS, 0),
        "resident_id_cn": 1,
        "mobile_cn": 1,
    }


def test_full_width_digits_are_counted():
    assert count(["手机１３８１２３４５６７８"])["mobile_cn"] == 1


@pytest.mark.parametrize("kind", RECOGNISERS)
def test_every_recogniser_has_a_true_example(kind):
    assert kind in TRUE


@pytest.mark.parametrize("piece", ["a", "1", "1 ", "a.", "@", "+1(", "1-", ":", "a@a.", "0.", "１"])
def test_the_work_is_linear_in_the_text(piece):
    steps = [_tried(piece * n) for n in (2_000, 4_000)]

    assert steps[1] <= 2.2 * steps[0] + 100


def _tried(text):
    """Candidates that were matched and checked, as a measure of the work that can be counted."""
    return sum(sum(1 for _ in r.pattern.finditer(text)) for r in RECOGNISERS.values())
