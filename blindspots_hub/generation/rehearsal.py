"""Loading a stranger's pipeline in a process of its own first, with a limit on memory and time.

The process builds every component from its configuration without weights, holds their number
against what the safetensors hold, and reads tokenizers and schedulers. What fills its memory or
takes too long ends there, and not in the server. `python -m blindspots_hub.generation.rehearsal
FOLDER` is that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.foreign import INDEX, component_kind, components, refused
from blindspots_hub.utils.files import read_json
from blindspots_hub.utils.safetensors_header import TensorFile

MEMORY = 6 * 1024**3
"""Bytes that building without weights may take, libraries included."""

DEADLINE = 180.0
"""Seconds that it may take; importing the libraries is most of it."""

SPARE = 20_000_000
"""Numbers that a component may build beside those of its weights: tables of positions."""

_KEPT = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")


@contextmanager
def no_remote_code() -> Iterator[None]:
    """Neither library asks "run the custom code? [y/N]" meanwhile: the answer is no."""
    import transformers.dynamic_module_utils as dynamic

    before = dynamic.TIME_OUT_REMOTE_CODE
    dynamic.TIME_OUT_REMOTE_CODE = 0
    try:
        yield
    finally:
        dynamic.TIME_OUT_REMOTE_CODE = before


def rehearse(folder: Path, source: str, memory: int = MEMORY, deadline: float = DEADLINE) -> None:
    """Raise `BlindspotsError` where the pipeline in `folder` cannot be built within the limits.

    `memory` is in bytes, `deadline` in seconds; `source` is what the user named.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    environment |= {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_DISABLE_REMOTE_CODE": "1"}
    command = [sys.executable, "-m", __name__, str(folder.resolve()), str(memory)]
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise refused(source, f"takes more than {deadline:.0f} s to be built") from None
    if done.returncode == 3:
        raise refused(source, (done.stdout.strip().splitlines() or ["cannot be built"])[-1][:300])
    if done.returncode != 0:
        raise refused(source, "cannot be built within the memory that a visitor's model is given")


def _build(folder: Path) -> str | None:
    """Build every component without weights; what speaks against it, or None."""
    import torch

    for name, (library, class_name) in components(read_json(folder / INDEX), "it"):
        part = folder / name
        kind = component_kind(library, class_name, "it", name)
        cls = _class(library, class_name)
        if cls is None or not part.is_dir():
            continue
        if kind != "model":
            cls.from_pretrained(part, local_files_only=True)
            continue
        with torch.device("meta"):
            model = _without_weights(cls, part)
        built = sum({id(one): one.numel() for one in model.parameters()}.values())
        there = sum(TensorFile(path).elements for path in part.glob("*.safetensors"))
        if built > 2 * there + SPARE:
            return f"asks for {built:,} numbers in its {name}, whose weights hold {there:,}"
    return None


def _without_weights(cls: Any, part: Path) -> Any:
    if hasattr(cls, "load_config"):  # diffusers
        return cls.from_config(cls.load_config(part, local_files_only=True))
    config = cls.config_class.from_pretrained(part, local_files_only=True)
    model = cls._from_config(config) if hasattr(cls, "_from_config") else cls(config)
    with suppress(Exception):
        model.tie_weights()
    return model


def _class(library: str, class_name: str) -> Any:
    import diffusers
    import transformers

    homes = {"diffusers": diffusers, "transformers": transformers}
    home = homes.get(library) or getattr(diffusers.pipelines, library, None)
    return getattr(home, class_name, None)


def main(folder: str, memory: str) -> int:
    """The process: 0 where everything could be built, 3 with a sentence where not."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (int(memory), int(memory)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with no_remote_code():
            told = _build(Path(folder))
    except BlindspotsError as error:
        told = str(error)
    except (MemoryError, RecursionError):
        told = "does not fit the memory that a visitor's model is given"
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        if "memory" in first or "allocat" in first:
            first = "it does not fit the memory that a visitor's model is given"
        told = f"cannot be built ({type(error).__name__}: {first.replace(folder, 'it')[:200]})"
    if told is not None:
        print(told)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
