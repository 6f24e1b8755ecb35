"""Two relays over one journal: one sends, and the other goes on where it was ended."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.services.relay.fakes import robot
from tests.services.relay.test_relay_messages import alert, webhook
from tests.services.relay.test_relay_program import Relay, receiver
from tests.services.test_lease import Server
from tests.waiting import PATIENCE, free_port, until

pytestmark = pytest.mark.real


@pytest.fixture
def leases() -> Server:
    return Server()


@pytest.fixture
def api(leases: Server) -> Iterator[str]:

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            body = json.loads(self.rfile.read(length)) if length else None
            status, document = leases.call(self.command, self.path, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_PUT(self) -> None:
            self.answer()

        def log_message(self, *_: Any) -> None:
            pass

    # One at a time, as versions ask for.
    listener = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_port}"
    listener.shutdown()
    listener.server_close()
    thread.join(PATIENCE)


def test_the_second_takes_over_what_the_first_had_not_told(api: str, leases: Server, tmp_path: Path) -> None:
    """The Lease lasts ten minutes here, so that no load of the machine ends it, and is given up when the first is."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t")
    (account / "namespace").write_text("monitoring")
    lease = ("--lease=relay", "--lease-seconds=600", f"--api={api}", f"--account={account}")
    with robot("webhook") as chat:
        told = receiver(tmp_path, chat)
        first, second = (Relay(tmp_path, [told], free_port(), lease, name) for name in ("a", "b"))
        first.start()
        try:
            until(lambda: first.call("/readyz")[0] == 200, "the first sends")
            second.start()
            # Nobody is sent to the second, and who comes all the same tries again.
            assert second.call("/readyz")[0] == 503
            assert second.call("/alertmanager/team", webhook(alert("X")))[0] == 503
            chat.before = lambda: None
            assert first.call("/alertmanager/team", webhook(alert("LLMTargetDown")))[0] == 200
            first.kill()
            assert leases.lease is not None
            assert leases.lease["spec"]["holderIdentity"] == "a"
            leases.lease["spec"]["holderIdentity"] = ""
            chat.before = lambda: ...
            until(lambda: second.call("/readyz")[0] == 200, "the second sends")
            until(lambda: chat.texts, "it tells what the first had taken")
            assert "LLMTargetDown" in chat.texts[0]
            assert second.metric("llm_relay_leader") == 1
            # The first is there again, and waits.
            first.start()
            assert first.call("/readyz")[0] == 503
        finally:
            for one in (first, second):
                if one.process is not None:
                    one.kill()


def test_without_an_account_there_is_no_lease(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from llmops.services.relay.__main__ import main

    one = json.dumps({"name": "a", "kind": "slack", "url_file": "x"})
    assert main([f"--folder={tmp_path}", f"--receiver={one}", "--lease=l", f"--account={tmp_path}"]) == 2
    assert "--lease needs a pod with a service account" in capsys.readouterr().err
