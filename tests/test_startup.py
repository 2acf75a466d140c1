"""What starting imports, as a list of what may be: a clock would say something else every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from blindspots_hub.cli import app

ROOT = Path(__file__).resolve().parents[1]

COMMAND_LINE = {"typer", "click", "rich", "markdown_it", "mdurl", "pygments", "shellingham"}
"""Packages that the command line may import to tell of itself, with theirs."""

COMMAND_LINE |= {"annotated_types", "attr", "pydantic", "pydantic_core", "typing_inspection"}
"""What later versions of typer and rich import by themselves, where it is installed."""

BEYOND = {"annotated_doc", "typing_extensions", "_distutils_hack", "yaml", "packaging"}
"""Small ones that come with these, or with Python's installation."""

FIRST_OF_ALL = ("torch", "gradio", "pandas", "datasets", "numpy", "pyarrow", "diffusers", "scipy")

NOT_FOR_A_PAGE = {
    "accelerate", "datasets", "diffusers", "numba", "sklearn", "transformers", "umap",
}  # fmt: skip
"""Packages that no page needs before somebody asks for what they do."""


SLOW_PARTS = ("scipy.stats", "scipy.sparse", "scipy.special", "scipy.linalg")
"""Of scipy what no page needs as it opens: together half a second."""


def imported(code: str) -> set[str]:
    """Top-level packages, beyond Python's own, that a program has imported at its end."""
    told = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert told.returncode == 0, told.stderr
    names = {name.split(".")[0] for name in told.stdout.splitlines()[-1].split()}
    own = {
        name for name in names if name.startswith(("__editable__", "blindspots_hub", "_sysconfig"))
    }
    return names - set(sys.stdlib_module_names) - own - {"__main__", "sitecustomize"}


def commands() -> list[list[str]]:
    """Every command and group, as its words."""
    found: list[list[str]] = [[]]
    top = typer.main.get_command(app)
    for name, command in top.commands.items():  # type: ignore[attr-defined]
        found.append([name])
        found += [[name, below] for below in getattr(command, "commands", {})]
    return found


def test_the_package_imports_nothing_but_itself() -> None:
    assert imported("import blindspots_hub as bh; dir(bh); bh.__version__") <= BEYOND


def test_building_the_command_line_imports_only_what_shows_it() -> None:
    code = "import typer, blindspots_hub.cli as c; typer.main.get_command(c.app)"
    assert imported(code) <= COMMAND_LINE | BEYOND


def test_help_of_every_command_imports_only_what_shows_it() -> None:
    """In one process, command after command: what any of them imports stays in it."""
    every = commands()
    assert len(every) > 35
    code = (
        "import io, contextlib, typer, blindspots_hub.cli as c\n"
        "top = typer.main.get_command(c.app)\n"
        f"for words in {every!r}:\n"
        "    with contextlib.redirect_stdout(io.StringIO()) as shown:\n"
        "        top.main([*words, '--help'], standalone_mode=False)\n"
        "    assert 'Usage' in shown.getvalue(), words\n"
    )
    found = imported(code)
    assert not found & set(FIRST_OF_ALL)
    assert found <= COMMAND_LINE | BEYOND


@pytest.mark.parametrize("arguments", [["--help"], ["evaluate", "--help"]])
def test_the_module_answers_as_light(arguments: list[str]) -> None:
    code = (
        "import runpy, io, contextlib\n"
        f"sys.argv = ['blindspots_hub', *{arguments!r}]\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    try: runpy.run_module('blindspots_hub', run_name='__main__')\n"
        "    except SystemExit as end: assert not end.code\n"
    )
    assert imported(code) <= COMMAND_LINE | BEYOND


def test_a_page_is_built_without_what_it_does_not_show() -> None:
    """The networks and the libraries of analyses wait until somebody asks for them."""
    code = (
        "import app\n"
        "from pathlib import Path\n"
        "import tempfile\n"
        "from blindspots_hub import planted\n"
        "from blindspots_hub.artifacts.bundle import load_bundle\n"
        "from blindspots_hub.explorer.page.app import build_app\n"
        "from blindspots_hub.serving.deployment import Deployment\n"
        "bundle = load_bundle(planted.BUNDLE)\n"
        "build_app(bundle, Path(tempfile.mkdtemp()), [], Deployment())\n"
    )
    code += f"slow = [part for part in {SLOW_PARTS!r} if part in sys.modules]\n"
    code += "print(*(part.replace('.', '/') for part in slow), end=' ')"
    found = imported(code)
    assert not found & (NOT_FOR_A_PAGE | {"torch"})
    assert not {name for name in found if name.startswith("scipy/")}
