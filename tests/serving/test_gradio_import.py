"""Gradio as the page imports it: without what takes its time, and otherwise itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(code: str) -> str:
    """What a program prints that has `lighten`ed gradio before it imports it."""
    before = "from blindspots_hub.serving.gradio_import import lighten\n"
    done = subprocess.run(
        [sys.executable, "-c", before + code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_gradio_writes_no_stubs_and_imports_no_mcp() -> None:
    code = """
import builtins, pathlib, sys
written, write = [], pathlib.Path.write_text
pathlib.Path.write_text = lambda self, *a, **k: (written.append(self), write(self, *a, **k))[1]
opened, real = [], builtins.open
builtins.open = lambda f, mode="r", *a, **k: (opened.append(f) if "a" in mode or "w" in mode else 0,
                                              real(f, mode, *a, **k))[1]
lighten(False)
import gradio
print([str(p) for p in written + opened if str(p).endswith(".pyi")], "mcp" in sys.modules)
import mcp
print(mcp.__name__)
"""
    assert run(code).splitlines() == ["[] False", "mcp"]


def test_a_server_of_mcp_has_its_package() -> None:
    assert run("lighten(True)\nimport gradio, sys\nprint('mcp' in sys.modules)") == "True"


def test_events_of_a_script_are_found_and_other_names_are_not() -> None:
    code = """
lighten(False)
import gradio as gr
with gr.Blocks():
    script = "trigger('point', {}); trigger(`close`); const self = 1, every = 2;"
    box = gr.HTML("x", js_on_load=script)
    for name in ("point", "close"):
        assert callable(getattr(box, name)), name
    for name in ("self", "every", "_undoable", "points"):
        assert not hasattr(box, name), name
    try:
        box.nothing
    except AttributeError as error:
        print(error)
"""
    assert run(code) == "'HTML' object has no attribute 'nothing'"


def test_the_application_is_made_once_and_it_is_whole() -> None:
    code = """
lighten(False)
import fastapi, gradio as gr
from starlette.testclient import TestClient
with gr.Blocks() as page:
    gr.HTML("a word")
assert page.app is None
with TestClient(gr.mount_gradio_app(fastapi.FastAPI(), page, "/here")) as client:
    print(client.get("/here/config").json()["components"][0]["props"]["value"])
with gr.Blocks() as page:
    gr.HTML("another")
page.launch(prevent_thread_lock=True, quiet=True, _frontend=False)
import urllib.request
print("another" in urllib.request.urlopen(page.local_url).read().decode())
page.close(verbose=False)
"""
    assert run(code).splitlines() == ["a word", "True"]


def test_what_was_left_out_is_there_for_who_asks_afterwards() -> None:
    code = """
lighten(False)
import gradio, sys
left_out = ("IPython", "gradio.cli.cli", "gradio.cli.commands.load")
print([name for name in left_out if name in sys.modules])
from gradio.cli.commands.reload import reload_thread  # as launching does
print([name for name in left_out if name in sys.modules])
from gradio.cli import cli, deploy
from gradio.cli.commands import sketch
import IPython
print(cli.__name__, deploy.__name__, callable(sketch), callable(gradio.deploy), IPython.__name__)
"""
    assert run(code).splitlines() == ["[]", "[]", "cli deploy True True IPython"]


def test_it_changes_nothing_where_gradio_is_imported_already() -> None:
    code = "import gradio, sys\nbefore = len(sys.meta_path)\nlighten(False)\n"
    assert run(code + "print(len(sys.meta_path) - before)") == "0"
