"""The table of personal data told by its form, for plain text (see ``plain``).

Each pattern takes time linear in the text: every run is bounded, and a match may begin only where
the character before cannot belong to it. Many begin with a set of characters, so that the text
between is skipped fast, and only then look back: ``[1-9](?<!x.)`` is a digit with no x before.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address

from takeroot.privacy.cards import Cards
from takeroot.privacy.checks import (
    iban_fit,
    is_credit_code,
    is_ipv4,
    is_ipv6,
    is_numbering,
    is_phone,
    is_plate,
    is_resident_id,
)
from takeroot.privacy.numbers import GAP, NO_CODE
from takeroot.privacy.recogniser import Form, Recogniser, whole

_LETTER = "A-Za-z\u00c0-\u024f\u0370-\u052f\u1e00-\u1fff"  # of scripts with blanks between words
_CREDIT = "[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]"
_PLATE_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = "A-HJ-NP-Za-hj-np-z"
_AREA_2 = r"(?:10|2[0-57-9])"  # Chinese area codes without their 0
_AREA_3 = r"(?:3[1-9]|4[1-8]|5[1-9]|6[369]|7\d|8[1-9]|9\d)\d"
_NUMBER_ENDS = r"(?!\d|\.\d{1,2}(?!\d)|[A-Za-z]{1,2}\d)"
_PLUS_86 = (  # the rest of it, after its first character
    r"(?:(?<=\()(?:\+ ?|00)?86\)|(?<=\+) ?86|(?<=0)086|(?<=8)6)[ -]{0,2}(?:\(0\) ?)?"
)
_MAY_BE_86 = r"(?<=\()(?=\+ ?8|00|86)|(?<=\+)(?= ?8)|(?<=0)(?=08)|(?<=8)(?=6)"
EMAIL = Form(
    re.compile(
        rf"[{_LETTER}0-9_](?<![{_LETTER}0-9_].)[{_LETTER}0-9_.+%'-]{{0,63}}@(?:"
        r"(?:[A-Za-z0-9-]{1,63}\.){1,8}(?:[A-Za-z]{2,24}(?![A-Za-z])|[Xx][Nn]--[A-Za-z0-9-]{2,59})"
        rf"|(?:[{_LETTER}0-9\u3040-\u9fff\uac00-\ud7af-]{{1,63}}\.){{1,8}}"
        rf"(?:[{_LETTER}]{{2,24}}(?![{_LETTER}])|中国|公司|网络|集团|香港|台湾|澳门))"
    ),
    value=str.lower,
    needs=re.compile("@"),
)
IBAN = Form(
    re.compile(
        r"[A-Za-z](?<![0-9A-Za-z].)[A-Za-z]\d\d[A-Za-z0-9]{0,30}"
        rf"(?:{GAP}[A-Za-z0-9]{{1,30}}){{0,8}}",
        re.ASCII,
    ),
    iban_fit,
)
RESIDENT_ID_CN = Form(
    re.compile(
        rf"[1-9](?<![0-9A-Za-z].)(?:\d\d{GAP}?\d{{3}}{GAP}?(?:18|19|20)\d\d{GAP}?"
        rf"(?:0[1-9]|1[0-2]){GAP}?(?:0[1-9]|[12]\d|3[01]){GAP}?\d{{3}}{GAP}?[\dXx]|"
        # each digit alone, and no more of them beside
        r"(?<!\d[ -][1-9])(?:[ -]\d){5}[ -][12][ -][089](?:[ -]\d){9}[ -][\dXx](?![ -]?\d)"
        r")(?![0-9A-Za-z])",
        re.ASCII,
    ),
    whole(is_resident_id),
)
CREDIT_CODE_CN = Form(
    re.compile(
        rf"[1-9ANYany](?<![0-9A-Za-z].)[1-9]{GAP}?[1-8]\d{GAP}?\d{{4}}{GAP}?{_CREDIT}{{4}}{GAP}?"
        rf"{_CREDIT}{{4}}{GAP}?{_CREDIT}{GAP}?{_CREDIT}(?![0-9A-Za-z])",
        re.ASCII,
    ),
    whole(is_credit_code),
)
MOBILE_CN = Form(
    re.compile(
        rf"[(+081](?:(?<=1)(?=[ -]?[3-9])|(?<=\()(?=1[3-9])|{_MAY_BE_86})"
        rf"(?:(?<=[(+])|(?<!\d.))(?<!\+.){NO_CODE}"
        rf"(?:(?<=1)|{_PLUS_86}1|(?:{_PLUS_86}\(|(?<=\())1(?=[3-9]\d\)))"
        rf"(?:[3-9]\d(?:(?<=\(1..)\))?(?:{GAP}|\.)?\d{{4}}(?:{GAP}|\.)?\d{{4}}"
        rf"|[3-9]\d\d{GAP}\d{{3}}{GAP}\d{{4}}|[3-9]\d{{3}}{GAP}\d{{6}}"
        rf"|[ -][3-9](?:[ -]\d){{9}}){_NUMBER_ENDS}",
        re.ASCII,
    ),
    value=lambda piece: re.sub(r"\D", "", piece)[-11:],
)
LANDLINE_CN = Form(
    re.compile(
        rf"[(+08](?:(?<=0)(?=\d\d)|(?<=\()(?=0\d\d)|{_MAY_BE_86})"
        rf"(?:(?<=[(+])|(?<!\d.))(?<!\+.){NO_CODE}(?:"
        + "|".join(
            rf"(?:(?:(?<=0)|(?!6\d){_PLUS_86}0?){area}(?:{GAP}[1-9]|[2-8])"
            rf"|(?:(?<=\()0|{_PLUS_86}\(0?){area}\){GAP}?[1-9])\d{{{size}}}{GAP}?\d{{4}}"
            for area, size in ((_AREA_2, "3"), (_AREA_3, "2,3"))
        )
        + rf")(?: ?(?:转|[Ee]xt\.?|[xX-]) ?\d{{1,5}})?{_NUMBER_ENDS}",
        re.ASCII,
    ),
    value=lambda piece: re.sub(r"^(?:0086|86)?0?", "", re.sub(r"\D", "", piece)),
)
PHONE = Form(
    re.compile(
        r"(?<![\w.])(?:\+\d[\d ().-]{6,20}\d"  # international
        r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?!\w)",  # North America
        re.ASCII,
    ),
    whole(is_phone),
)
PASSPORT = Form(
    re.compile(
        r"[PpEGDS护通](?:(?:(?<=[Pp])(?:assport|ASSPORT)|(?<=护)照|(?<=通)行证)"
        r"(?: ?(?:[Nn]o\.?|NO\.?|[Nn]umber|is)|号码?|是|为|[ :#]){0,4}"
        rf"([A-Za-z]{{0,2}}{GAP}?\d{{4}}{GAP}?\d{{3,5}}|(?=[A-Z]{{0,3}}\d)[A-Z0-9]{{7,9}})"
        r"|(?<![0-9A-Za-z].)"
        rf"(?:(?<=[EG]){GAP}?\d|(?:(?<=E)[A-HJ-NP-Z]|(?<=[DPS])E){GAP}?)\d{{3}}{GAP}?\d{{4}})"
        r"(?![0-9A-Za-z])",
        re.ASCII,
    )
)
PLATE_CN = Form(
    re.compile(
        rf"[{_PLATE_PROVINCE}] ?[{_PLATE}](?:[ ·•・.-]| ?\r?\n)?"
        rf"(?:[A-HJKa-hjk][{_PLATE}0-9]\d{{4}}|\d{{5}}[A-HJKa-hjk]"  # new energy
        rf"|[{_PLATE}0-9]{{4}}(?:[{_PLATE}0-9]|[挂学警港澳领试超]))(?![0-9A-Za-z])"
    ),
    whole(is_plate),
)
IPV6 = Form(
    re.compile(
        r"[0-9A-Fa-f:](?<![0-9A-Fa-f:.].)(?:"
        r"(?<=:)((?=[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{3,39}(?:(?:\.\d{1,3}){3})?)"
        r"|(?<!:)(?=[0-9A-Fa-f]{0,3}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:]{2,38}(?:(?:\.\d{1,3}){3})?)"
        r"(?![\w:])",
        re.ASCII,
    ),
    whole(is_ipv6),
    value=lambda piece: IPv6Address(piece).compressed,
    needs=re.compile(":"),
)
IPV4 = Form(
    re.compile(
        r"\d(?<!\w\..)(?:(?<!\w.)|(?<=[Ii][Pp].))\d{0,2}(?:\.\d{1,3}){3}(?!\.?\d|[A-Za-z_])",
        re.ASCII,
    ),
    whole(is_ipv4),
    value=str,
    not_after=is_numbering,
    needs=re.compile(r"\."),
)

# Where two match the same characters, the one that stands first is right.
RECOGNISERS: dict[str, Recogniser] = {
    "email": EMAIL,
    "iban": IBAN,
    "resident_id_cn": RESIDENT_ID_CN,
    "card": Cards(),
    "credit_code_cn": CREDIT_CODE_CN,
    "mobile_cn": MOBILE_CN,
    "landline_cn": LANDLINE_CN,
    "phone": PHONE,
    "passport": PASSPORT,
    "plate_cn": PLATE_CN,
    "ipv6": IPV6,
    "ipv4": IPV4,
}
