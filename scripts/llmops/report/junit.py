"""Findings as JUnit XML, the form that the test views of CI servers read: a suite is a release, a case a finding."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from llmops.findings import Finding, Severity
from llmops.report.contents import ReleaseReport, in_order, subject
from llmops.report.rules import label, why
from llmops.report.text import heading, places

# What XML 1.0 cannot hold, escaped or not.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(reports: Sequence[ReleaseReport], fail_on: Severity = Severity.ERROR) -> str:
    """A finding of at least `fail_on` is a failure, a milder one passes with output, a waived one is skipped.

    A release without any has one case that passes, so that it is seen.
    """
    root = ET.Element("testsuites", name="llmops check")
    for report in reports:
        cases = list(_cases(report, fail_on))
        suite = ET.SubElement(root, "testsuite", name=_clean(heading(report)))
        suite.extend(cases)
        _count(suite)
    return _dump(root)


def failure(message: str) -> str:
    """Input that could not be read (exit status 2): one case with an error."""
    root = ET.Element("testsuites", name="llmops check")
    suite = ET.SubElement(root, "testsuite", name="input")
    suite.append(_unreadable(suite.get("name", ""), "the input can be read", message))
    _count(suite)
    return _dump(root)


def _cases(report: ReleaseReport, fail_on: Severity) -> Iterator[ET.Element]:
    suite = heading(report)
    if report.unreadable:
        yield _unreadable(suite, "the release can be read", report.unreadable)
        return
    for finding in in_order(report.findings):
        case = _case(suite, _name(finding))
        said = _said(report, finding)
        if finding.severity >= fail_on:
            failed = ET.SubElement(
                case, "failure", message=_clean(finding.message), type=str(finding.severity)
            )
            failed.text = said
        else:
            ET.SubElement(case, "system-out").text = said
        yield case
    for waived in report.waived:
        case = _case(suite, _name(waived.finding))
        until = f" (until {waived.expires})" if waived.expires else ""
        ET.SubElement(case, "skipped", message=_clean(f"waived: {waived.reason}{until}"))
        yield case
    if not report.findings and not report.waived:
        yield _case(suite, "no finding")


def _unreadable(suite: str, name: str, message: str) -> ET.Element:
    case = _case(suite, name)
    ET.SubElement(case, "error", message=_clean(message), type="input")
    return case


def _case(suite: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=_clean(suite), name=_clean(name), time="0")


def _name(finding: Finding) -> str:
    return " ".join(part for part in (label(finding.rule), subject(finding), finding.path) if part)


def _said(report: ReleaseReport, finding: Finding) -> str:
    lines = [f"{finding.severity}: {finding.message}"]
    lines += [f"{key}: {value}" for key, value in (("why", why(finding.rule)), ("fix", finding.fix)) if value]
    return _clean("\n".join([*lines, *places(finding, report.origin(finding))]))


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in suite)))
    suite.set("time", "0")


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", text)


def _dump(root: ET.Element) -> str:
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'
