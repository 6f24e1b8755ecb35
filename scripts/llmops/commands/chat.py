"""`llmops chat`: talk to a served model."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import click

from llmops.chat.client import AnswerError, Engine, ask
from llmops.chat.page import Page
from llmops.commands.options import Number
from llmops.findings import RefusedError


@click.command()
@click.argument("url", default="http://127.0.0.1:8000")
@click.option("--model", default="", help="Name that the model is served by. By default the first one.")
@click.option("-m", "--message", default="", help="Ask this, print the answer and end.")
@click.option("--system", default="", help="What the model is told before everything else.")
@click.option("--max-tokens", type=click.IntRange(1), default=512, show_default=True, help="Of each answer.")
@click.option("--temperature", type=Number(0, 2), default=0.2, show_default=True)
@click.option(
    "--key-env", default="", metavar="NAME", help="Environment variable that holds the engine's API key."
)
@click.option("--page", is_flag=True, help="Serve a page on this machine as well, for a browser.")
def chat(
    url: str,
    model: str,
    message: str,
    system: str,
    max_tokens: int,
    temperature: float,
    key_env: str,
    page: bool,
) -> None:
    """Talks to the model behind URL. An empty line or Ctrl-D ends, Ctrl-C stops an answer, /new begins anew."""
    engine = Engine(url, os.environ.get(key_env, "") if key_env else "")
    model = model or engine.model()
    talk = Conversation(engine, model, system, max_tokens, temperature)
    if message:
        if not talk.say(message):
            raise RefusedError("there was no whole answer")
        return
    if page:
        asked = {"model": model, "messages": talk.start, "max_tokens": max_tokens, "temperature": temperature}
        served = Page(engine, asked)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        click.echo(f"page: {served.url}", err=True)
    click.echo(
        f"{model} at {url}: write a message; an empty line ends, Ctrl-C stops an answer, /new begins anew",
        err=True,
    )
    for line in lines():
        if line == "/new":
            talk.forget()
        else:
            talk.say(line)


class Conversation:
    def __init__(self, engine: Engine, model: str, system: str, most: int, temperature: float) -> None:
        self.engine, self.model, self.most, self.temperature = engine, model, most, temperature
        self.start = [{"role": "system", "content": system}] if system else []
        self.forget()

    def forget(self) -> None:
        self.messages = list(self.start)

    def say(self, text: str) -> bool:
        """Prints the answer as it comes; whether it came to its end. What was no answer is not remembered."""
        asked = [*self.messages, {"role": "user", "content": text}]
        answer, whole = "", False
        try:
            for piece in ask(self.engine, self.model, asked, self.most, self.temperature):
                answer += piece
                click.echo(piece, nl=False)
                sys.stdout.flush()
            whole = True
        except KeyboardInterrupt:
            click.echo(" (stopped)", nl=False)
        except AnswerError as error:
            click.echo(f"llmops: {error}", err=True)
        click.echo()
        if answer:
            self.messages = [*asked, {"role": "assistant", "content": answer}]
        return whole


def lines() -> Iterator[str]:
    """What a person writes, or a pipe holds, until an empty line or the end."""
    person = sys.stdin.isatty()
    while True:
        try:
            line = input("> " if person else "").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if not line:
            return
        yield line
