"""python -m lab.conformance [VERSION]: write what the real engine answers, into tests/lab/conformance."""

from __future__ import annotations

import sys
from functools import partial

from lab import ROOT
from lab.conformance.endings import ENDINGS, text
from lab.conformance.exchanges import EXCHANGES
from lab.conformance.real import start
from lab.conformance.run import run
from lab.vllm.build import OVERLAY, build
from lab.vllm.whole import BuildError, say

RECORDS = ROOT / "tests/lab/conformance"


def main(arguments: list[str]) -> int:
    version = arguments[0] if arguments else OVERLAY
    try:
        server = partial(start, build(), version)
        with server() as one:
            say(f"{len(EXCHANGES)} exchanges")
            exchanges = run(one.url, EXCHANGES)
        endings = {}
        for name, ending in ENDINGS.items():
            say(name)
            endings[name] = ending(server)
    except BuildError as error:
        say(str(error))
        return 2
    file = RECORDS / f"{version}.json"
    file.write_text(text({"version": version, "exchanges": exchanges, "endings": endings}), encoding="utf-8")
    sys.stdout.write(f"{file.relative_to(ROOT)}: {len(exchanges)} exchanges, {len(endings)} endings\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
