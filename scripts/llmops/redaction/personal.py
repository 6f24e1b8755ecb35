"""Blanks what tells who somebody is, before a text is counted: `python -m llmops.redaction.personal < text`.

Mobile, resident ID, bank card, company code, passport, plate, e-mail and address, and telephone numbers and accounts of
anywhere. A number whose check digit fails is blanked all the same, as a number: somebody may have mistyped his own.
Names of persons are not found. What is masked is still text of somebody: keep it where the text was.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmops.redaction.checks import account, company, luhn, resident
from llmops.redaction.folding import fold

MOBILE, RESIDENT, CARD, COMPANY = "mobile", "resident-id", "bank-card", "company-code"
PASSPORT, PLATE, EMAIL, ADDRESS = "passport", "plate", "e-mail", "address"
PHONE, ACCOUNT, NUMBER = "phone", "account", "number"
_DIGITS_ONLY = frozenset((CARD, RESIDENT, MOBILE))
KINDS = (EMAIL, RESIDENT, COMPANY, CARD, MOBILE, PASSPORT, PLATE, ACCOUNT, PHONE, ADDRESS, NUMBER)

_ALIKE = str.maketrans("OoQDIl|!ZzSsBbGgq", "00001111225588699")
_DIGIT = r"[0-9OoQDIl|!ZzSsBG]"
# What may stand between two characters of one number, as people group and wrap them.
_GAP = r"[\s\-._·•/\\()*:]{0,3}"
_REGISTRIES = [
    "11",
    "12",
    "13",
    "19",
    "21",
    "29",
    "31",
    "32",
    "33",
    "34",
    "35",
    "39",
    "41",
    "49",
    "51",
    "52",
    "53",
    "54",
    "55",
    "59",
    "61",
    "62",
    "69",
    "71",
    "72",
    "79",
    "81",
    "89",
    "91",
    "92",
    "93",
    "A1",
    "N1",
    "Y1",
]
_PROVINCE_CODES = [
    "10",
    "11",
    "12",
    "13",
    "14",
    "15",
    "21",
    "22",
    "23",
    "31",
    "32",
    "33",
    "34",
    "35",
    "36",
    "37",
    "41",
    "42",
    "43",
    "44",
    "45",
    "46",
    "50",
    "51",
    "52",
    "53",
    "54",
    "61",
    "62",
    "63",
    "64",
    "65",
    "71",
    "81",
    "82",
]
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"


def _row(*parts: str) -> str:
    """Characters with gaps between them; "5*x" is five of x."""
    single = [one for part in parts for one in _repeated(part)]
    return _GAP.join(single)


def _repeated(part: str) -> list[str]:
    count, star, of = part.partition("*")
    return [of] * int(count) if star and count.isdigit() else [part]


def _digits(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text.translate(_ALIKE))


def _really(text: str, least: float = 0.6) -> bool:
    """Most of what stands for a digit is one: words of look-alikes are none."""
    characters = [one for one in text if one.isalnum() or one in "|!"]
    return sum(one.isdigit() for one in characters) >= least * len(characters)


@dataclass(frozen=True)
class Kind:
    """`holds` sees what the pattern found in a folded text; what does not hold is left to other kinds.
    `whole`: a part of what does not hold is not looked at again."""

    name: str
    pattern: re.Pattern[str]
    holds: Callable[[str], bool] = lambda _: True
    whole: bool = False


_NO_DIGIT_BEFORE, _NO_DIGIT_AFTER = r"(?<![0-9])", r"(?![0-9])"
_NO_WORD_BEFORE, _NO_WORD_AFTER = r"(?<![0-9A-Za-z])", r"(?![0-9A-Za-z])"
_TOP = "com|cn|net|org|edu|gov|io|ai|dev|info|co|de|uk|fr|jp|hk|tw"
_AT = r"\s{0,3}(?:@|[\[({<]\s?(?:at|a|@|艾特)\s?[\])}>])\s{0,3}"
_DOT = r"(?:(?:\r?\n)?\.(?:\r?\n)?|\s\.\s|\s?[\[({<]\s?(?:dot|点|\.)\s?[\])}>]\s?|\s(?:dot|点)\s)"
_BREAK = r"\r?\n[ \t]?"
# A word that a line's end breaks goes on; a line that ends behind an address does not, unless with so few letters.
_LABEL = rf"[\w-]{{1,63}}(?:{_BREAK}[\w-]{{1,63}}(?={_DOT}[A-Za-z]))?"
_SPACED = r"(?:[A-Za-z0-9_+-]\s){1,63}"
_LOCAL = (
    rf"(?:(?:[\w.%+'-]{{1,64}}{_BREAK})?[\w.%+'-]{{1,64}}(?:{_DOT}[\w%+'-]{{1,63}}){{0,4}}"
    rf"|{_SPACED}(?:\.\s{_SPACED}){{0,4}}?[A-Za-z0-9_+-]?)"
)
_DOMAIN = (
    rf"(?:{_SPACED}(?:\.\s{_SPACED}){{0,4}}\.(?:\s[A-Za-z0-9-]){{2,12}}\b"
    rf"|{_LABEL}(?:{_DOT}{_LABEL}){{1,6}}(?:\r?\n[a-z]{{1,4}}\b)?)"
)
_STREET = r"(?:路|街|大道|道|巷|弄|胡同|村|里|园|小区|公寓|花园|新村|公路|条|段|苑|庄|屯|组)"
_PART = r"(?:号院|号楼|号|弄|栋|幢|座|单元|室|楼|层|门|户|院|组|房)"
_REGION = r"(?:省|自治区|特别行政区|市|自治州|地区|盟|区|县|旗|镇|乡|街道|新区)"
_HAN = r"[\u3400-\u9fff]"
# Without the ends of regions, so that a chain of them is read in one way only.
_NAME = r"(?:(?![省市区县旗镇乡盟])[\u3400-\u9fff])"
_STREETS = (
    "Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Ct|Place|Pl|Square|Sq|Highway|Hwy"
    "|Terrace|Close|Crescent"
)
_ROOM = r"(?:Apartment|Apt|Suite|Ste|Unit|Room|Rm|Flat|Floor|Building|Bldg|No|#)\.?\s*[0-9A-Z-]{1,6}"


def _card(text: str) -> bool:
    return _really(text) and luhn(_digits(text))


def _id(text: str) -> bool:
    number = _digits(text[:-1]) + text[-1].translate(_ALIKE).replace("*", "X").replace("×", "X")
    return _really(text) and number[:17].isdigit() and resident(number)


def _code(text: str) -> bool:
    """A code, or what begins like one: the kind of registry, and a region of a province that there is."""
    code = re.sub(r"[^0-9A-Za-z|!]", "", text)
    registry, region = code[:2].translate(_ALIKE).upper(), _digits(code[2:8])
    # Words behind a number are no part of a code: it is written in one case.
    letters = re.sub(r"[^A-Za-z]", "", code[8:].translate(_ALIKE))
    words = re.search(r"[a-z]{4}", text) or (letters != letters.upper() and letters != letters.lower())
    typical = not words and registry in _REGISTRIES and region.isdigit() and region[:2] in _PROVINCE_CODES
    checked = company(code.replace("l", "1").upper().translate(str.maketrans("OISZ|!", "015211")))
    return _really(code[:8]) and (typical or checked)


def _plate(text: str) -> bool:
    serial = re.sub(r"[^0-9A-Za-z|!]", "", text)[1:]
    digits = sum(one.isdigit() for one in serial.translate(_ALIKE))
    # Of four characters before 挂, 学, 警 two may be letters, and of five too.
    return digits >= (3 if text[-1].isascii() else 2) and sum(one.isdigit() for one in serial) >= 2


def _number(text: str) -> bool:
    """Seven or more digits, unless they are a moment, an amount or a version."""
    plain = text.strip(" \t\r\n-._/:*()\\·•")
    moment = r"(?:19|20)\d\d([-./])\d{1,2}\1\d{1,2}(?:[\sT]+\d{1,2}(?::\d\d){0,2}(?:\.\d{1,9})?)?"
    harmless = rf"{moment}|\d{{1,6}}\.\d{{1,9}}|(?:\d{{1,3}}\.){{3}}\d{{1,3}}"
    return _really(text) and sum(one.isdigit() for one in text) >= 6 and not re.fullmatch(harmless, plain)


_RULES = (
    Kind(EMAIL, re.compile(rf"(?i:{_LOCAL}{_AT}{_DOMAIN})")),
    Kind(
        EMAIL,
        re.compile(
            rf"(?i:{_LOCAL}(?:\s(?:at|艾特)\s|\s?#\s?)(?:[a-z0-9-]{{1,63}}{_DOT}){{1,4}}(?:{_TOP})\b)"
        ),
    ),
    Kind(
        RESIDENT,
        re.compile(
            _NO_DIGIT_BEFORE
            + "(?:"
            + _row(f"17*{_DIGIT}", r"[0-9OoIlSBXx×]")
            + "|"
            + _row(f"15*{_DIGIT}")
            + ")"
            + _NO_DIGIT_AFTER
        ),
        _id,
    ),
    Kind(
        COMPANY,
        re.compile(
            _NO_WORD_BEFORE + _row("2*[0-9A-Za-z|!]", f"6*{_DIGIT}", "10*[0-9A-Za-z|!]") + _NO_DIGIT_AFTER
        ),
        _code,
    ),
    *(
        Kind(CARD, re.compile(_NO_DIGIT_BEFORE + _row(f"{size}*{_DIGIT}") + _NO_DIGIT_AFTER), _card)
        for size in range(19, 12, -1)
    ),
    # With commas only in the usual groups: a list of small numbers is no mobile.
    Kind(MOBILE, re.compile(r"(?<![0-9])1[3-9][0-9]\s?[,、]\s?[0-9]{4}\s?[,、]\s?[0-9]{4}(?![0-9])")),
    Kind(
        MOBILE,
        re.compile(
            r"(?<![0-9])(?:(?:\+|00)?"
            + _GAP
            + "86"
            + _GAP
            + ")?"
            + _row("[1Il|!]", "[3-9SBGq]", f"9*{_DIGIT}")
            + _NO_DIGIT_AFTER
        ),
        lambda text: _really(text, 0.7),
    ),
    Kind(
        PASSPORT,
        re.compile(
            _NO_WORD_BEFORE
            + "(?:"
            + _row("[EGDSPHMKCegdsphmkc]", f"8*{_DIGIT}")
            + "|"
            + _row("[EDSPedsp]", "[A-Za-z]", f"7*{_DIGIT}")
            + "|"
            + _row("[HMhm]", f"10*{_DIGIT}")
            + ")"
            + _NO_WORD_AFTER
        ),
        lambda text: _really(re.sub(r"[\W_]", "", text)[2:]),
    ),
    Kind(
        PASSPORT,
        re.compile(
            r"(?i:passport|护照|通行证)[^0-9A-Za-z\n]{0,8}(?:(?i:no|number|is|号码?|为|是)[^0-9A-Za-z]{0,4}){0,2}"
            rf"{_row('2*[A-Za-z0-9]', f'6*{_DIGIT}')}(?:{_GAP}{_DIGIT})?"
        ),
        lambda text: sum(one.isdigit() for one in text) >= 5,
    ),
    Kind(
        PLATE,
        re.compile(
            rf"[{_PROVINCES}使领]{_GAP}[A-Za-z]{_GAP}[•·]?{_GAP}{_row('4*[0-9A-Za-z|!]')}{_GAP}(?:[0-9A-Za-z|!](?:{_GAP}[0-9A-Za-z|!])?|[挂学警港澳使领])(?![0-9])"
        ),
        _plate,
    ),
    Kind(
        ACCOUNT,
        re.compile(r"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ -]?[0-9A-Za-z]){11,30}(?![0-9A-Za-z])"),
        lambda text: account(re.sub(r"[ -]", "", text)),
    ),
    Kind(
        PHONE,
        re.compile(
            rf"(?:\+{_GAP}{_row('[1-9]', f'6*{_DIGIT}')}(?:{_GAP}{_DIGIT}){{0,8}}"
            rf"|(?<![0-9])(?<![0-9][\s-])\(?0[1-9][0-9]{{1,2}}\)?{_GAP}{_row(f'7*{_DIGIT}')}(?:{_GAP}{_DIGIT})?"
            r"|(?<![0-9])(?<![0-9][\s-])\(?[2-9][0-9]{2}\)?[ .-]?[2-9][0-9]{2}[ .-][0-9]{4})(?![0-9])"
        ),
        lambda text: _really(text, 0.7),
    ),
    Kind(
        ADDRESS,
        re.compile(
            rf"(?:{_NAME}{{1,9}}{_REGION}\s{{0,2}}){{0,5}}[\u3400-\u9fffA-Z0-9]{{1,12}}?{_STREET}\s{{0,2}}(?:[\u3400-\u9fffA-Z0-9]{{1,6}}?{_STREET}\s{{0,2}})?(?:[0-9A-Z甲乙丙丁一二三四五六七八九十百-]{{1,6}}\s{{0,2}}{_PART}\s{{0,2}}){{1,6}}[0-9A-Z-]{{0,6}}"
        ),
    ),
    Kind(
        ADDRESS,
        re.compile(
            rf"(?:{_ROOM},?\s+)?(?<![0-9A-Za-z])[0-9OIl]{{1,5}}[A-Z]?\s+"
            rf"(?:[A-Z0-9][\w'.-]{{0,20}}\s+){{1,4}}(?i:{_STREETS})\b\.?"
            rf"(?:,?\s*{_ROOM})*(?:,\s*[A-Z][\w .'-]{{1,30}}){{0,3}}"
            rf"(?:,?\s*(?:[A-Z]{{2}}\s+)?[0-9]{{5}}(?:-[0-9]{{4}})?)?"
        ),
        lambda text: any(one.isdigit() for one in text),
    ),
    Kind(
        ADDRESS,
        re.compile(
            rf"(?:住址|地址|家住|住在|居住在|寄到)(?:是|为)?\s*[:：=]?\s*(?=[^.,;\n]{{0,60}}[0-9])[^.,;\n]{{4,80}}"
            rf"(?:\n(?={_HAN}{{0,8}}[0-9A-Z-]{{1,6}}{_PART})[^.;,\n]{{1,40}})?"
            r"|(?i:\baddress(?:\s+is)?|\blives?\s+at|\bship\s+to)\s*[:：=]?\s*(?=[^;\n]{0,60}[0-9])[^;\n]{4,80}"
        ),
    ),
    Kind(
        NUMBER, re.compile(rf"(?<![0-9]){_row(f'7*{_DIGIT}')}(?:{_GAP}{_DIGIT}){{0,40}}"), _number, whole=True
    ),
)


def find(text: str) -> list[tuple[int, int, str]]:
    """Start, end (characters of the text) and kind of what is blanked, in order, none in another."""
    folded = fold(text)
    if not folded.text:
        return []
    found: list[tuple[int, int, str]] = []
    for kind in _RULES:
        found += [(*folded.original(start, end), kind.name) for start, end in _matches(kind, folded.text)]
    order = {name: place for place, name in enumerate(KINDS)}
    merged: list[tuple[int, int, str]] = []
    for start, end, name in sorted(found):
        if merged and start < merged[-1][1]:
            first, last, other = merged[-1]
            merged[-1] = (first, max(last, end), min(other, name, key=order.__getitem__))
        else:
            merged.append((start, end, name))
    return merged


def _of_a_word(text: str, start: int, end: int) -> bool:
    """Whether the first or the last digit is a letter of a word, as in `call 138…`; the X of a resident ID is none."""
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    return (text[start].isalpha() and before.isalpha() and before.isascii()) or (
        text[end - 1].isalpha() and text[end - 1] not in "Xx" and after.isalpha() and after.isascii()
    )


def _matches(kind: Kind, text: str) -> Iterator[tuple[int, int]]:
    """Spans of a kind. What does not hold is looked for again one character later: two numbers may be neighbours."""
    place = 0
    while match := kind.pattern.search(text, place):
        if kind.holds(match[0]) and (kind.name not in _DIGITS_ONLY or not _of_a_word(text, *match.span())):
            yield match.span()
            place = max(match.end(), match.start() + 1)
        else:
            place = match.end() if kind.whole else match.start() + 1


def mask(text: str) -> str:
    """The text with each such place as its kind in brackets: 电话[mobile]."""
    parts, before = [], 0
    for start, end, name in find(text):
        parts += [text[before:start], f"[{name}]"]
        before = end
    return "".join([*parts, text[before:]])


if __name__ == "__main__":
    sys.stdout.write(mask(sys.stdin.read()))
