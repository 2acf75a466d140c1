"""The server of a page that is measured: started, waited for, looked at, and ended."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError

APP = Path(__file__).resolve().parents[2] / "app.py"


def _free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(root: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The page in a process of its own; the clock runs from here."""
    port = _free_port()
    page = [sys.executable, str(APP), "--bundle", str(root), "--port", str(port)]
    page += ["--evaluations", str(folder / "evaluations")]
    process = subprocess.Popen(page, stdout=subprocess.DEVNULL)
    try:
        yield process, f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait(timeout=30)


def empty_page() -> float:
    """Seconds until a page of Gradio answers that shows nothing: this machine's floor."""
    port = _free_port()
    code = (
        "import gradio as gr\n"
        "with gr.Blocks(analytics_enabled=False) as page: gr.HTML('')\n"
        f"page.launch(server_port={port}, ssr_mode=False, quiet=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        took = waited(process, f"http://127.0.0.1:{port}/")
    finally:
        process.terminate()
        process.wait(timeout=30)
    if took is None:
        raise BlindspotsError("An empty page of Gradio did not start: reinstall it.")
    return took


def waited(process: Any, address: str, seconds: float = 120.0) -> float | None:
    """Seconds until a page answers; None where its process ended first."""
    import urllib.error
    import urllib.request

    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        if process.poll() is not None:
            return None
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                answer.read()
                return time.perf_counter() - began
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    return None


def memory_of(pid: int) -> int | None:
    """Bytes that a process holds in memory; None where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    if not status.is_file():
        return None
    held = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(held.split()[1]) * 1024
