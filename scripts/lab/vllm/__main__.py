"""python -m lab.vllm build | serve [FLAGS OF VLLM] | chat | oracle [CASE…]"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from lab.vllm import oracle
from lab.vllm.build import build
from lab.vllm.start import NAME, ready, start
from lab.vllm.whole import BuildError, say


def main(arguments: list[str]) -> int:
    """Exit status: 0 fine, 2 where there is no engine or the words are wrong."""
    what, more = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what not in ("build", "serve", "chat", "oracle"):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    # Whoever ends this ends the engine too, which is a process group of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        built = build()
        if what == "build":
            sys.stdout.write(f"{built.folder} holds vLLM and {NAME}; data type {built.dtype}\n")
            return 0
        if what == "oracle":
            return oracle.run(built, more)
        server = start(built, *more)
        try:
            say(f"starting on {server.url}, about half a minute; log: {server.log}")
            say(f"answers after {ready(server):.0f} s")
            if what == "chat":
                # So small a model is right where it is sure: at a temperature of 0.2 it already makes up its words.
                llmops = Path(sys.executable).with_name("llmops")
                return subprocess.run(
                    [llmops, "chat", server.url, "--page", "--temperature=0"], check=False
                ).returncode
            return server.process.wait()
        finally:
            server.end(40)
    except BuildError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
