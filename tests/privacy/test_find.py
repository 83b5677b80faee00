"""Personal data: what is found, what is not, and that hostile texts cost nothing."""

from __future__ import annotations

import pytest

from takeroot.privacy import RECOGNISERS, count, find

TRUE = {
    "email": [
        "mail ann.b+c@mail.example.co.uk now",
        "我的邮箱是li@example.cn，谢谢",
        "see…ann@example.com—thanks",
        "jörg@müller.example.de",
        "ann@例子.中国",
        "mailto:ann@example.com2024",
    ],
    "iban": ["GB29 NWBK 6016 1331 9268 19 is mine", "konto de89370400440532013000."],
    "resident_id_cn": [
        "身份证11010519491231002X",
        "id 11010519491231002x",
        "440524 18800101 0014",
        "1 1 0 1 0 5 1 9 4 9 1 2 3 1 0 0 2 X",
    ],
    "credit_code_cn": ["统一代码91330100799655058B。"],
    "card": [
        "4111 1111 1111 1111",
        "amex 378282246310005.",
        "银联6212345678901232",
        "2024 4111 1111 1111 1111 123",
        "4111-1111-1111-1111 12/26",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    ],
    "mobile_cn": [
        "手机13812345678",
        "+86 138-1234-5678",
        "(+86)13812345678",
        "tel13812345678",
        "138.1234.5678",
        "1381 234 5678",
        "1 3 8 1 2 3 4 5 6 7 8",
    ],
    "landline_cn": ["电话 010-12345678", "(0755) 8123 4567", "+86-21-62345678转801", "01062345678"],
    "phone": ["call +44 20 7946 0958", "(212) 555-0123", "212-555-0123"],
    "passport": ["护照E12345678", "EA1234567", "passport no. 123456789", "Passport: C01X00T47"],
    "plate_cn": ["车牌京A12345", "粤B·D12345", "沪A·D1234学"],
    "ipv6": ["at 2001:db8::8a2e:370:7334 .", "IP:2001:db8::1", "node:fe80::1%eth0"],
    "ipv4": ["from 192.168.0.255:8080", "ip10.0.0.1", "see…8.8.8.8"],
}
FALSE = [
    "an @ sign, a@b and user@localhost",
    "card 4111 1111 1111 1112",
    "order 1234567890123456",
    "id 110105194912310021 and 110105194913310025",
    "on 2024-05-01 12:30:45 at 10:20",
    "version 1.2.3 and 300.1.2.3",
    "version 1.2.3.4, v1.2.3.4, 版本1.2.3.4, Chrome/120.0.0.0",
    "it costs 1,234,567.89 or 12345678",
    "ratio 12:30:45:50 and std::dec",
    "a 12-digit number 138123456789",
    "0.13812345678 and 13812345678.50",
    "order SO13812345678",
    "GB29 NWBK 6016 1331 9268 18",
    "91330100799655058A",
    "79927398713 and 1799273987131234",
    "新A股上市",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind in TRUE for text in TRUE[kind]])
def test_each_kind_is_found_alone(kind, text):
    assert [item.kind for item in find(text)] == [kind]


@pytest.mark.parametrize("text", FALSE)
def test_what_only_looks_like_it_is_not_found(text):
    assert find(text) == []


def test_offsets_are_those_of_the_text():
    text = "请发到 ann@example.com 或 ＋８６１３８\u200b１２３４５６７８。"

    assert [text[item.start : item.end] for item in find(text)] == [
        "ann@example.com",
        "＋８６１３８\u200b１２３４５６７８",
    ]


def test_a_card_ends_where_its_check_digit_says():
    text = "4111 1111 1111 1111 123"

    assert [text[item.start : item.end] for item in find(text)] == ["4111 1111 1111 1111"]


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


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("mobile_cn", "+86 138-1234-5678", "13812345678"),
        ("landline_cn", "+86 (10) 6234 5678", "010-62345678"),
        ("card", "4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("email", "Ann@Example.com", "ann@example.com"),
        ("plate_cn", "京a·12345", "京A12345"),
        ("ipv6", "2001:DB8:0::1", "2001:db8::1"),
    ],
)
def test_all_writings_of_a_piece_have_one_value(kind, one, other):
    assert RECOGNISERS[kind].value(one) == RECOGNISERS[kind].value(other)
