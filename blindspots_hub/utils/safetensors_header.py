"""A safetensors file by its header: types, shapes and places of its tensors, and their numbers.

The header is checked before anything is believed: offsets must be those of the shapes, and lie in
the file. Tensors are mapped and looked at some million numbers at a time, so that no file, however
large, fills the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np

HEADER_BYTES = 64 * 1024**2
"""Longest header that is read."""

_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "F8_E4M3": "u1",
    "F8_E5M2": "u1",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "U16": "<u2",
    "U32": "<u4",
    "U64": "<u8",
    "BOOL": "?",
}
_POINTER = b"version "
"""How the text begins that git-lfs leaves in a file's place."""

_BYTES = {kind: np.dtype(code).itemsize for kind, code in _TYPES.items()}
_BLOCK = 4_000_000


class NoTensors(Exception):
    """A file that is no safetensors file; the message says why."""


@dataclass(frozen=True)
class Tensor:
    """What a header says of one tensor: type, shape, and where in the file its bytes begin."""

    kind: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """How many numbers."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """How many bytes they take."""
        return self.size * _BYTES[self.kind]


class TensorFile:
    """The header of a safetensors file, checked; `blocks` gives a tensor's numbers piece by piece.

    Raises `NoTensors` where the header is not one, or its offsets are not those of its shapes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, "rb") as handle:
            first = handle.read(8)
            if first == _POINTER:
                raise NoTensors("it is a pointer of git-lfs to the file; `git lfs pull` gets it")
            length = int.from_bytes(first, "little")
            size = path.stat().st_size
            if not 2 <= length <= min(size - 8, HEADER_BYTES):
                raise NoTensors("its header has no possible length")
            text = handle.read(length)
        try:
            header = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise NoTensors("its header is no JSON") from error
        if not isinstance(header, dict):
            raise NoTensors("its header is no JSON object")
        told = header.pop("__metadata__", None)
        self.metadata: Mapping[str, str] = told if isinstance(told, dict) else {}
        self.tensors = {str(name): self._tensor(one, 8 + length) for name, one in header.items()}
        end = max((t.start + t.bytes for t in self.tensors.values()), default=0)
        if self.tensors and end != size:
            raise NoTensors(f"its tensors end at byte {end:,} of {size:,}")

    @staticmethod
    def _tensor(found: object, base: int) -> Tensor:
        match found:
            case {
                "dtype": str(kind),
                "shape": list(shape),
                "data_offsets": [int(first), int(last)],
            }:
                whole = all(isinstance(n, int) and 0 <= n < 2**48 for n in shape)
                if kind in _BYTES and whole and len(shape) <= 8:
                    tensor = Tensor(kind, tuple(shape), base + first)
                    if 0 <= first <= last and last - first == tensor.bytes:
                        return tensor
        raise NoTensors("its header describes a tensor that cannot be")

    @cached_property
    def elements(self) -> int:
        """Numbers in all tensors together."""
        return sum(tensor.size for tensor in self.tensors.values())

    def mapped(self, name: str) -> np.ndarray:
        """A tensor, mapped from the file: what is looked at is read."""
        tensor = self.tensors[name]
        if tensor.size == 0:
            return np.zeros(tensor.shape, _TYPES[tensor.kind])
        return np.memmap(self.path, _TYPES[tensor.kind], "r", tensor.start, tensor.shape)

    def blocks(self, name: str) -> Iterator[np.ndarray]:
        """A tensor along its first dimension, some million numbers at a time."""
        whole = self.mapped(name)
        step = max(_BLOCK // max(prod(whole.shape[1:]), 1), 1)
        for start in range(0, len(whole), step):
            yield np.array(whole[start : start + step])

    def lacks(self, needed: Mapping[str, tuple[str, int]]) -> str | None:
        """Which of `needed` (type and number of dimensions by name) is missing or otherwise."""
        for name, (kind, dimensions) in needed.items():
            found = self.tensors.get(name)
            if found is None:
                return f"it lacks {name}"
            if found.kind != kind or len(found.shape) != dimensions:
                return f"{name} is {found.kind} {list(found.shape)}"
        return None
