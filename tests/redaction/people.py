"""Documents with made-up personal data, written from the standards and from how people write, not from our patterns.

Resident ID: GB 11643-1999 (old: 15 digits). Company: GB 32100-2015. Cards: ISO/IEC 7812-1. Plates: GA 36-2018. Mobile:
numbering plan of the MIIT. E-mail: RFC 5321. Passports: National Immigration Administration. Nobody's data is in it.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
ALIKE = {"0": "OoО", "1": "lI|", "5": "S", "8": "B", "2": "Z"}
CYRILLIC = str.maketrans("AaBcCeEHKMoOpPTxXy", "АаВсСеЕНКМоОрРТхХу")
INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
MATHS = str.maketrans({str(digit): chr(0x1D7CE + digit) for digit in range(10)})
NUMERALS = str.maketrans("0123456789", "零幺二三四五六七八九")
REGIONS = ["110105", "310115", "440305", "330106", "510107", "420111", "610113", "350203", "230103", "650104"]
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静强磊洋艳勇杰娟涛明超霞平刚"
LATIN = ["li", "wang", "zhang", "emma", "john", "maria", "chen", "olivia", "noah", "yuki", "anna", "peter"]
ZH = [
    "您好，请帮我看看这个问题：",
    "我的信息如下，",
    "麻烦登记一下，",
    "昨天下午我打过电话，",
    "客服你好，",
    "请根据下面内容写一封信。",
    "这是我的联系方式，",
    "帮我翻译成英文：",
    "订单一直没有到，",
    "请总结以下对话：",
]
EN = [
    "Hello, could you help me with this? ",
    "Please draft a reply to the customer below. ",
    "Here is what I have: ",
    "Summarize the following conversation. ",
    "I called you yesterday. ",
    "My details for the form: ",
    "Translate this: ",
]
HARMLESS = [
    "会议时间是2026-03-04 15:30，",
    "价格是1299.00元，",
    "版本 v1.24.3 ",
    "温度 36.5 度，",
    "the meeting is on 2025-11-30, ",
    "it costs 49.99 USD, ",
    "IP 10.0.0.1 is the gateway, ",
    "第3章第12节，",
    "HTTP 404, ",
    "RFC 9110 says so, ",
    "约有1400万人口，",
    "section 5 of page 210, ",
    "共12345件，",
]
DECOYS: list[Callable[[random.Random], str]] = [
    lambda r: f"订单号{r.randrange(10**9, 10**10)}，",
    lambda r: f"order {r.randrange(10**11, 10**12)} ",
    lambda r: f"unix time {r.randrange(1_500_000_000, 1_900_000_000)} ",
    lambda r: f"ISBN 978-7-{r.randrange(100, 999)}-{r.randrange(10000, 99999)}-{r.randrange(10)} ",
    lambda r: f"commit {''.join(r.choice('0123456789abcdef') for _ in range(40))} ",
    lambda r: f"型号{r.choice('ABXT')}{r.randrange(100, 9999)}，",
    lambda r: f"我在{r.choice(['长安街', '中山路', '人民广场'])}附近吃饭，",
    lambda r: f"see section {r.randrange(1, 9)}.{r.randrange(1, 20)} @ {r.randrange(1, 12)} pm ",
    lambda r: f"圆周率是3.14159265358979，{r.choice(['京', '沪', '新'])}剧很好看，",
    lambda r: f"GPU {r.choice(['A100', 'H100', 'L40S'])} {r.randrange(10, 99)}GB x {r.randrange(1, 9)}, ",
]


def luhn(body: str) -> str:
    total = 0
    for place, one in enumerate(reversed(body)):
        value = int(one) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    return body + str(-total % 10)


def resident(r: random.Random) -> str:
    born = date(1940, 1, 1) + timedelta(r.randrange(75 * 365))
    if r.random() < 0.08 and born.year < 2000:
        return f"{r.choice(REGIONS)}{born:%y%m%d}{r.randrange(1000):03d}"
    body = f"{r.choice(REGIONS)}{born:%Y%m%d}{r.randrange(1000):03d}"
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    check = "10X98765432"[sum(int(a) * b for a, b in zip(body, weights, strict=True)) % 11]
    return body + (check.lower() if r.random() < 0.2 else check)


def company(r: random.Random) -> str:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
    body = r.choice(["91", "92", "93", "11", "12", "51", "52"]) + r.choice(REGIONS)
    body += "".join(r.choice(alphabet if r.random() < 0.3 else string.digits) for _ in range(9))
    check = (31 - sum(alphabet.index(a) * b for a, b in zip(body, weights, strict=True)) % 31) % 31
    return body + alphabet[check]


def card(r: random.Random) -> str:
    prefix, length = r.choice(
        [("62", 16), ("62", 19), ("4", 16), ("51", 16), ("37", 15), ("622848", 19), ("35", 16), ("62", 17)]
    )
    return luhn(prefix + "".join(r.choice(string.digits) for _ in range(length - len(prefix) - 1)))


def mobile(r: random.Random) -> str:
    prefix = r.choice(
        ["130", "133", "138", "139", "150", "155", "166", "170", "176", "182", "188", "191", "195", "199"]
    )
    return prefix + "".join(r.choice(string.digits) for _ in range(8))


def passport(r: random.Random) -> str:
    digits = lambda n: "".join(r.choice(string.digits) for _ in range(n))  # noqa: E731
    return r.choice(
        [
            f"E{digits(8)}",
            f"G{digits(8)}",
            f"E{r.choice('ABCDFGHJKM')}{digits(7)}",
            f"SE{digits(7)}",
            f"PE{digits(7)}",
            f"H{digits(8)}",
        ]
    )


def plate(r: random.Random) -> str:
    province = r.choice("京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼")
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    digits = [r.choice(string.digits) for _ in range(5)]
    if r.random() < 0.3:
        return (
            province
            + r.choice(letters)
            + r.choice("DF")
            + r.choice([*letters, *string.digits])
            + "".join(digits[:4])
        )
    for place in r.sample(range(5), r.randrange(3)):
        digits[place] = r.choice(letters)
    last = r.choice(["", "", "", "学", "挂", "警"])
    return province + r.choice(letters) + "".join(digits[:4] if last else digits) + last


def email(r: random.Random) -> str:
    local = (
        r.choice(LATIN)
        + r.choice(["", ".", "_", "-", "+"])
        + r.choice(LATIN)
        + r.choice(["", str(r.randrange(1000))])
    )
    domain = r.choice(["example", "mail-example", "corp.example", "qq", "163"])
    return f"{local}@{domain}.{r.choice(['com', 'cn', 'com.cn', 'org', 'net', 'io'])}"


def address(r: random.Random) -> str:
    if r.random() < 0.35:
        name = r.choice(["Old Mill", "Park", "Green Hill", "Elm", "King George"])
        street = f"{r.randrange(1, 2000)} {name} {r.choice(['Road', 'Street', 'Ave', 'Lane', 'Drive'])}"
        return street + r.choice(["", f", Apt {r.randrange(1, 99)}", f" Suite {r.randrange(100, 999)}"])
    city = r.choice(
        [
            "北京市朝阳区",
            "上海市浦东新区",
            "广东省深圳市南山区",
            "浙江省杭州市西湖区",
            "四川省成都市武侯区",
            "南京市鼓楼区",
        ]
    )
    road = r.choice(
        ["建国路", "中山北路", "科技园南路", "文一西路", "人民南路四段", "世纪大道", "平安里胡同"]
    )
    room = r.choice(["", f"{r.randrange(1, 30)}号楼", f"{r.randrange(1, 30)}栋{r.randrange(1, 6)}单元"])
    return f"{city}{road}{r.randrange(1, 900)}号{room}{f'{r.randrange(101, 3305)}室' if room else ''}"


KINDS: dict[str, tuple[Callable[[random.Random], str], list[str]]] = {
    "mobile": (mobile, ["手机{}", "电话是{}，", "call me at {} ", "Tel: {} ", "微信同号{}。"]),
    "resident-id": (resident, ["身份证号{}", "身份证：{}，", "my ID is {} ", "证件号码 {} "]),
    "bank-card": (card, ["卡号{}", "银行卡 {} ，", "card number {} ", "打到{}这个账户"]),
    "company-code": (company, ["统一社会信用代码{}", "税号：{}，", "credit code {} "]),
    "passport": (passport, ["护照{}", "护照号：{}，", "passport {} ", "passport no. {} "]),
    "plate": (plate, ["车牌{}", "我的车是{}，", "plate {} ", "{}停在楼下。"]),
    "e-mail": (email, ["邮箱{} ，", "email {} ", "发到 {} 吧", "write to {} "]),
    "address": (address, ["住在{}，", "地址：{}。", "I live at {} . ", "寄到{}，"]),
}
GROUPS = {
    "mobile": (3, 4, 4),
    "resident-id": (6, 4, 4, 4),
    "bank-card": (4, 4, 4, 4, 4),
    "company-code": (2, 6, 9, 1),
}


def grouped(r: random.Random, kind: str, value: str) -> str:
    """As people group it: by the usual groups, or at any place."""
    mark = r.choice([" ", "-", "  ", " - ", "\u3000", ".", "\n", "·", "\u200b", "–", "\u00a0", "\u2009"])
    sizes = GROUPS.get(kind, (r.randrange(2, 5), r.randrange(2, 5), 99))
    parts, place = [], 0
    for size in sizes:
        parts.append(value[place : place + size])
        place += size
    return mark.join(part for part in [*parts, value[place:]] if part)


def disguised(r: random.Random, kind: str, value: str) -> str:
    """Half as they are, the others wide, in groups, broken, of another script; one in twenty with look-alikes."""
    text = value
    if r.random() < 0.05:
        if kind in ("e-mail", "plate", "passport"):
            text = text.translate(CYRILLIC)
        elif kind != "address":
            places = [place for place, one in enumerate(text) if one in ALIKE]
            for place in r.sample(places, min(len(places), 2)):
                text = text[:place] + r.choice(ALIKE[text[place]]) + text[place + 1 :]
    way = r.random()
    if kind == "e-mail":
        if way < 0.10:
            return text.translate(WIDE)
        if way < 0.20:
            return text.replace("@", r.choice([" @ ", "＠", "[at]", " (at) ", "@\u200b", "@ "]))
        if way < 0.26:
            return text.replace(".", r.choice([" . ", "．", "[dot]", "。"]))
        if way < 0.32:
            place = r.randrange(2, len(text) - 2)
            return text[:place] + "\n" + text[place:]
        return " ".join(text) if way < 0.34 else text
    if kind == "address":
        if way < 0.2:
            return text.translate(WIDE) if text[0] > "\u3000" else text
        if way < 0.3 and text[0] > "\u3000":
            place = text.index("路") + 1 if "路" in text else text.index("区") + 1
            return text[:place] + r.choice([" ", "\n", "  "]) + text[place:]
        return text
    if way < 0.12:
        return text.translate(WIDE)
    if way < 0.30:
        return grouped(r, kind, text)
    if way < 0.36:
        return grouped(r, kind, text).translate(WIDE)
    if way < 0.40:
        return " ".join(text)
    if way < 0.44 and kind != "plate":
        return text.translate(r.choice([INDIC, MATHS, NUMERALS]))
    if way < 0.50:
        place = r.randrange(2, len(text) - 1)
        return text[:place] + r.choice(["\n", "\r\n", "\u200b", "\ufeff", "\u00ad"]) + text[place:]
    return text


@dataclass(frozen=True)
class Secret:
    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    text: str
    secrets: tuple[Secret, ...]


def document(r: random.Random) -> Document:
    """Up to four pieces of personal data among ordinary sentences, in one of two languages or both."""
    parts: list[str] = [r.choice(r.choice([ZH, EN]))]
    secrets: list[Secret] = []
    for _ in range(r.randrange(1, 5)):
        if r.random() < 0.4:
            parts.append(r.choice(HARMLESS) if r.random() < 0.6 else r.choice(DECOYS)(r))
        kind = r.choice(list(KINDS))
        make, frames = KINDS[kind]
        before, after = r.choice(frames).split("{}")
        start = sum(map(len, parts)) + len(before)
        value = disguised(r, kind, make(r))
        secrets.append(Secret(kind, start, start + len(value)))
        parts.append(
            f"{before}{value}{after}{r.choice(['', '。', ', ', '；'])}{r.choice([*ZH, *EN, '', '', ''])}"
        )
    return Document("".join(parts), tuple(secrets))
