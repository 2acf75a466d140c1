"""Opening the authors' pickle without running it: nothing of the file is ever called or imported.

A file that `torch.save` wrote is a zip archive of one small pickle and one record a tensor. What it
may ask for is checked before anything is built (`_check_records`, `_check_globals`); then torch's
restricted unpickler reads it with empty classes under the nine names that the published weights
use, and the tensors stay on disk, mapped into memory.
"""

from __future__ import annotations

import pickletools
import re
import zipfile
from pathlib import Path

import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from blindspots_hub.errors import BlindspotsError


class Stub:
    """Stands in for a class of the file: no methods, its state lands in `__dict__`."""


def _stub(name: str) -> type[Stub]:
    return type(name.rpartition(".")[2], (Stub,), {})


STUBS = {
    name: _stub(name)
    for name in (
        "torch.nn.parallel.data_parallel.DataParallel",
        "overcomplete.sae.batchtopk_sae.BatchTopKSAE",
        "overcomplete.sae.modules.MLPEncoder",
        "overcomplete.sae.archetypal_dictionary.RelaxedArchetypalDictionary",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.container.ModuleList",
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.normalization.LayerNorm",
        "torch.nn.modules.activation.ReLU",
    )
}
"""The nine classes that the published file names, each with the empty class that replaces it."""

_PLAIN = {
    "collections.OrderedDict",
    "builtins.set",
    "torch.Size",
    "torch.device",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    *(f"torch.{kind}Storage" for kind in ("Float", "Double", "Half", "BFloat16")),
    *(f"torch.{kind}" for kind in ("float32", "float64", "float16", "bfloat16")),
}
"""What tensors and modules are made of. torch's own list is longer: it holds `bytearray` and
`torch.Tensor`, by which a file of a kilobyte could ask for a terabyte."""

_RECORD = re.compile(
    r"[^/\\]+/(data\.pkl|data/\d+|version|byteorder|\.data/serialization_id"
    r"|\.format_version|\.storage_alignment)"
)
_PICKLE = "/data.pkl"
_MAX_RECORDS = 1000
_MAX_PICKLE = 1 << 20
"""The published pickle is a few kB and names a dozen tensors; these bounds are far above it."""

_UNREADABLE = "its pickle is not one that torch.save writes"
_MAX_NAMES, _MAX_NAME = 5, 100
"""How much of what a refused file asks for is shown."""


def open_checkpoint(path: Path) -> Stub:
    """The object that `torch.save` wrote to `path`, as a tree of `Stub`s; tensors are mapped.

    Raises `BlindspotsError`, with one sentence, for a file that is no zip archive, truncated or
    damaged, that holds anything but plain uncompressed records, or whose pickle names anything
    beyond the nine classes and plain tensors. No code of the file runs in any case.
    """
    _check_globals(path, _check_records(path))
    try:
        with safe_globals([(stub, name) for name, stub in STUBS.items()]):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # whatever a crafted pickle makes the reader stumble over
        raise damaged(path, _UNREADABLE) from error
    if not isinstance(found, Stub):
        raise BlindspotsError(
            f"{path} holds an object of type {type(found).__name__}, not a whole model: give the "
            "file of the published RA-SAE, a pickled DataParallel(BatchTopKSAE)."
        )
    return found


def damaged(path: Path, why: str) -> BlindspotsError:
    """The sentence for a file that is not what its author wrote."""
    return BlindspotsError(f"{path} is truncated or damaged ({why}): fetch it again.")


def _check_records(path: Path) -> bytes:
    """The pickle of a checkpoint whose records are all in order.

    Nothing is extracted, so names cannot lead anywhere; a strange one still is not torch's.
    """
    with open(path, "rb") as handle:
        if handle.read(4) != b"PK\x03\x04":
            raise BlindspotsError(
                f"{path} is not a zip archive as torch.save has written since PyTorch 1.6; older "
                "files cannot be read safely: have its owner save it anew."
            )
    try:
        with zipfile.ZipFile(path) as archive:
            if fault := _fault(archive, path.stat().st_size):
                raise damaged(path, fault)
            (found,) = (name for name in archive.namelist() if name.endswith(_PICKLE))
            return archive.read(found)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise damaged(path, _first_line(error)) from error


def _fault(archive: zipfile.ZipFile, size: int) -> str | None:
    """What about the records of an archive of `size` bytes is not as torch writes them, if any."""
    records = archive.infolist()
    names = [record.filename for record in records]
    strange = [name for name in names if not _RECORD.fullmatch(name)]
    if strange or len(names) > _MAX_RECORDS or len(set(names)) < len(names):
        return f"record {strange[0]!r}" if strange else "repeated or too many records"
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        return "compressed records"
    if sum(record.file_size for record in records) > size:
        return "overlapping records"
    pickles = [record for record in records if record.filename.endswith(_PICKLE)]
    if len(pickles) != 1 or pickles[0].file_size > _MAX_PICKLE:
        return "not one small data.pkl"
    if min(record.header_offset for record in records) != 0:
        return "bytes before its first record"
    orders = [name for name in names if name.endswith("/byteorder")]
    if any(archive.read(name) != b"little" for name in orders):
        return "not little-endian"  # swapping the bytes would copy the whole map into memory
    return None


def _check_globals(path: Path, pickle: bytes) -> None:
    """Refuse a pickle that names what the published weights do not need.

    torch's own search is asked first. It takes for granted what torch, or anyone in this process,
    has declared safe; so every name is held against the two lists above as well.
    """
    try:
        offending = {*get_unsafe_globals_in_checkpoint(path)} | _named(pickle)
    except Exception as error:  # a crafted pickle can make the search fail in any way
        offending = _named(pickle)
        if not offending - STUBS.keys() - _PLAIN:
            raise damaged(path, _UNREADABLE) from error
    if offending := offending - STUBS.keys() - _PLAIN:
        # Whatever the names hold, a terminal only sees printable ASCII.
        shown = [ascii(name)[1:-1][:_MAX_NAME] for name in sorted(offending)[:_MAX_NAMES]]
        more = f" and {len(offending) - _MAX_NAMES} others" if len(offending) > _MAX_NAMES else ""
        raise BlindspotsError(
            f"{path} asks for {', '.join(shown)}{more}, which the published weights do without and "
            "which could run code: do not load this file with anything, and fetch the weights from "
            "their owner."
        )


def _named(pickle: bytes) -> set[str]:
    """Every global that a pickle names, in any protocol, as far as it can be parsed."""
    found = set()
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in ("GLOBAL", "INST"):
                found.add(_modern(*str(argument).split(" ", 1)))
            elif opcode.name == "STACK_GLOBAL":
                found.add(_modern(*(["?", "?", *texts])[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except (ValueError, UnicodeDecodeError):
        pass  # the part before the fault has been searched; torch's reader refuses the rest
    return found


def _modern(module: str, name: str) -> str:
    """The dotted name of a global; pickles of protocol 2 call `builtins` by its old name."""
    return f"{'builtins' if module == '__builtin__' else module}.{name}"


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return ascii(line)[1:-1].rstrip(".")[:_MAX_NAME]
