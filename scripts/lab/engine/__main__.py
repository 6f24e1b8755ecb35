"""`python -m engine MODEL [vLLM flags]`; --port 0 takes a free port, and the line on standard output names it."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from .behaviour import DEFAULT, Behaviour, BehaviourError, merge
from .catalogue import load
from .command import Command, UsageError, parse
from .server import serve


def scripted(environment: dict[str, str]) -> Behaviour:
    """ENGINE_BEHAVIOUR as a behaviour; BehaviourError if it cannot be read."""
    try:
        return merge(DEFAULT, json.loads(environment.get("ENGINE_BEHAVIOUR") or "{}"))
    except json.JSONDecodeError as error:
        raise BehaviourError(f"ENGINE_BEHAVIOUR is not JSON: {error}") from None


def main(arguments: list[str]) -> int:
    environment = dict(os.environ)
    try:
        command: Command = parse(arguments)
        behaviour = scripted(environment)
        return asyncio.run(serve(command, behaviour, load(), environment))
    except (UsageError, BehaviourError, FileNotFoundError) as error:
        sys.stderr.write(f"engine: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
