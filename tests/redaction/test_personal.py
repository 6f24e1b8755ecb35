"""What tells who somebody is does not stay in a text; ordinary sentences do."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.redaction.checks import account, company, luhn, resident
from llmops.redaction.personal import find, mask
from tests.redaction import bench_masking
from tests.redaction.people import document


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("我的手机号是138 0013 8000，谢谢", "我的手机号是[mobile]，谢谢"),
        ("call +86-138-0013-8000 now", "call [mobile] now"),
        ("一三八零零一三八零零零", "[mobile]"),
        ("身份证１１０１０５\n１９４９１２３１\n００２Ｘ。", "身份证[resident-id]。"),
        ("身份证11O1O5194912310O2Х。", "身份证[resident-id]。"),
        ("卡号6222 0212 3456 7894 吧", "卡号[bank-card] 吧"),
        ("税号9135 0100 M000 100Y 43", "税号[company-code]"),
        ("车牌京А·12345和粤BD12345", "车牌[plate]和[plate]"),
        ("护照 E1234 5678, Passport No. 123456789", "[passport], [passport]"),
        ("mail zhang.san＠example．com please", "mail [e-mail] please"),
        ("mail zhang at example dot com please", "mail [e-mail] please"),
        ("mail zhang#163.com, li(a)163.com please", "mail [e-mail], [e-mail] please"),
        ("打138，0013，8000吧", "打[mobile]吧"),
        ("我住海淀区中关村大街甲27号院5号楼", "[address]"),
        ("寄到北京市朝阳区建国路８８号３号楼１２０１室。", "[address]。"),
        ("at 12 Old Mill Road, Apt 4.", "at [address]."),
        ("电话（０１０）６２７５１２３４", "电话[phone]"),
        ("Tel. +44 20 7946 0958", "Tel. [phone]"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN [account]"),
        # A resident ID with a wrong check character is somebody's all the same.
        ("身份证110105194912310021", "身份证[number]"),
    ],
)
def test_it_is_masked_as_what_it_is(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is on 2026-03-04 15:30:00, it costs 1,299.00 USD.",
        "So I said: lol, IS it 5 or 10 days in 2024? See version 1.24.3 of 10.0.0.1.",
        "京剧很好看，长安街附近有12家饭店，约有1400万人口，第3章第12节。",
        "Look at the code and the A100 at 80 GB.",
        "",
    ],
)
def test_ordinary_sentences_stay(text: str) -> None:
    assert mask(text) == text


def test_nothing_is_left_of_made_up_people() -> None:
    """A sample of `make bench-masking`; what is masked as a kind is nearly always of it."""
    chance, count = random.Random(11), bench_masking.Count()  # noqa: S311
    for _ in range(1000):
        bench_masking.judge(count, document(chance))
    assert count.leaks == []
    for kind in count.there:
        assert count.right[kind] >= 0.95 * count.said[kind] > 0, kind


@given(st.text(st.sampled_from("13890 -X\n.@a京A号路O０一Х\u200b86E"), max_size=60))
def test_spans_lie_in_order_and_masking_twice_changes_nothing_new(text: str) -> None:
    spans = find(text)
    edges = [edge for start, end, _ in spans for edge in (start, end)]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) for start, end, _ in spans)


def test_a_long_text_does_not_hold_up_a_run() -> None:
    """Some seconds of one processor at most, whatever somebody writes."""
    started = time.process_time()
    for part in ("1 ", "a.", "中市", "中路", "a ", "1", "12 Ab "):
        find(part * (12_000 // len(part)))
    assert time.process_time() - started < 20


def test_check_digits_are_those_of_the_standards() -> None:
    assert resident("11010519491231002X")
    assert not resident("110105194902310021")
    assert company("91350100M000100Y43")
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert account("GB82WEST12345698765432")


@pytest.mark.real
def test_the_program_masks_its_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "llmops.redaction.personal"],
        input="手机13800138000\n",
        text=True,
        capture_output=True,
    )
    assert (done.returncode, done.stdout) == (0, "手机[mobile]\n")
