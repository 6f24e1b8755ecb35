"""A stand-in for dcgm-exporter: two series of one GPU that nobody here has, at values that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab.cluster.namespaces import inside

# Labels as dcgm-exporter 4.8 and later writes them.
GPU = 'gpu="0",UUID="GPU-1",pci_bus_id="00000000:01:00.0",device="nvidia0",modelName="NVIDIA L4",hostname="node-1"'


class Gpu:
    """`port` shows /metrics; `utilization` is in percent, `temperature` in degrees Celsius.

    `users`: (namespace, pod) of those who have such a GPU, each one of its own; none: a GPU that nobody uses.
    """

    def __init__(self, port: int) -> None:
        self.port, self.utilization, self.temperature = port, 30, 60
        self.users: Callable[[], Iterable[tuple[str, str]]] = lambda: ()

    def text(self) -> str:
        values = {"DCGM_FI_DEV_GPU_UTIL": self.utilization, "DCGM_FI_DEV_GPU_TEMP": self.temperature}
        labels = [f'{GPU},namespace="{space}",pod="{pod}"' for space, pod in self.users()] or [GPU]
        return "".join(
            f"# TYPE {name} gauge\n" + "".join(f"{name}{{{each}}} {value}\n" for each in labels)
            for name, value in values.items()
        )


@contextmanager
def gpu_exporter(address: str) -> Iterator[Gpu]:
    """Serves inside the cluster's network while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = gpu.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    # A socket stays in the network that it was made in.
    server = inside(lambda: ThreadingHTTPServer((address, 0), Handler))
    gpu = Gpu(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield gpu
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
