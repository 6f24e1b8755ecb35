"""Check digits of numbers that belong to a person or a company. Each takes the digits without separators."""

from __future__ import annotations

from datetime import date

_COMPANY = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (int(one) * (1 + place % 2) for place, one in enumerate(reversed(digits)))
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def resident(number: str) -> bool:
    """GB 11643: a region, a day that there is, and of 18 characters the check character of ISO 7064 (mod 11-2)."""
    birth = number[6:14] if len(number) == 18 else f"19{number[6:12]}"
    try:
        date(int(birth[:4]), int(birth[4:6]), int(birth[6:]))
    except ValueError:
        return False
    if number[0] not in "12345678" or not 1850 <= int(birth[:4]) < 2100:
        return False
    weighted = sum(int(one) * 2 ** (17 - place) for place, one in enumerate(number[:17]))
    return len(number) == 15 or "10X98765432"[weighted % 11] == number[17].upper()


def company(code: str) -> bool:
    """GB 32100: 18 characters, the last of them by weights of powers of 3 (mod 31)."""
    code = code.upper()
    if any(one not in _COMPANY for one in code):
        return False
    weighted = sum(_COMPANY.index(one) * pow(3, place, 31) for place, one in enumerate(code[:17]))
    return _COMPANY[(31 - weighted % 31) % 31] == code[17]


def account(number: str) -> bool:
    """ISO 13616 (IBAN): the remainder by 97 of the number with its first four characters last is 1."""
    turned = (number[4:] + number[:4]).upper()
    return int("".join(str(int(one, 36)) for one in turned)) % 97 == 1
