"""The scripts and styles that Gradio's page of certain components asks for, known beforehand.

A browser learns of them in waves: a script names the scripts that it imports, only when it is there
itself. Gradio is built by Vite, which writes beside every `import(…)` the numbers of all files that
it needs; those of the components stand in one registry.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path

_FILES = re.compile(r"m\.f=(\[[^\]]*\])")
"""A script's list of files, which the numbers beside its imports count."""

_IMPORT = re.compile(r"import\(`\./([\w.-]+)`\)[^`]*?__vite__mapDeps\(\[([\d,]*)\]\)")
"""An import when it is needed, and the numbers of the files that it needs."""

_COMPONENT = re.compile(r"component:\(\)=>.*?__vite__mapDeps\(\[([\d,]*)\]\)")


def first_scripts(folder: Path, kinds: Collection[str]) -> list[str]:
    """Names in `folder`, Gradio's built assets, that a page of components of `kinds` needs.

    Gradio may be built in another way one day; then none are found, and nothing else is lost than
    that browsers learn of the scripts one after another, as without this.
    """
    found: dict[str, None] = {}
    try:
        entry = re.search(r"assets/(index-[\w-]+\.js)", (folder.parent / "index.html").read_text())
        if entry is None:
            return []
        page = _imported(folder, entry[1], "Index-")
        blocks = [name for one in page if one.startswith("Index-") and one.endswith(".js")
                  for name in _imported(folder, one, "Blocks-")]  # fmt: skip
        registry = [one for one in page if one.startswith("core-") and one.endswith(".js")]
        for name in (*page, *blocks, *(n for one in registry for n in _of(folder, one, kinds))):
            found.setdefault(name)
    except (OSError, ValueError, IndexError):
        return []
    return list(found)


def _read(folder: Path, name: str) -> tuple[str, list[str]]:
    """A script's text and the files that it counts."""
    text = (folder / name).read_text(encoding="utf-8")
    listed = _FILES.search(text)
    return text, [] if listed is None else [str(one) for one in json.loads(listed[1])]


def _named(files: list[str], numbers: str) -> list[str]:
    return [files[int(one)].removeprefix("./") for one in numbers.split(",") if one]


def _imported(folder: Path, name: str, prefix: str) -> list[str]:
    """What the imports in script `name` need whose own names begin with `prefix`."""
    text, files = _read(folder, name)
    needed = [
        _named(files, numbers) for one, numbers in _IMPORT.findall(text) if one.startswith(prefix)
    ]
    return [one for names in needed for one in names]


def _of(folder: Path, name: str, kinds: Collection[str]) -> list[str]:
    """What the components of `kinds` need, by the registry in script `name`."""
    text, files = _read(folder, name)
    needed = []
    for kind in sorted(kinds):
        at = re.search(rf"[{{,]{re.escape(kind)}:{{", text)
        numbers = at and _COMPONENT.search(text, at.end())
        needed += _named(files, numbers[1]) if numbers else []
    return needed
