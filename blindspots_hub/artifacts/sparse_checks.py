"""Energies, heatmaps and features of a bundle, held against its tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

_ENERGIES = {"indptr": ("I64", 1), "concepts": ("I32", 1), "energies": ("F32", 1)}


def energy_faults(path: Path, name: str, n_concepts: int, rows: int | None) -> Iterator[str]:
    """Energies of `rows` images, or of any number of them."""
    try:
        file = TensorFile(path)
    except (NoTensors, OSError) as error:
        yield f"{name} is not a file of concept energies ({error})"
        return
    if fault := file.lacks(_ENERGIES):
        yield f"{name} is not a file of concept energies ({fault})"
        return
    if str(file.metadata.get("n_concepts")) != str(n_concepts):
        told = file.metadata.get("n_concepts")
        yield f"{name}: energies have {str(told)[:20]} concepts instead of {n_concepts}"
    (length,) = file.tensors["indptr"].shape
    (count,) = file.tensors["concepts"].shape
    if rows is not None and length != rows + 1:
        yield f"{name}: energies have {max(length - 1, 0)} images for {rows} rows of its table"
    if fault := _row_fault(file, "indptr", count):
        yield f"{name} is damaged ({fault})"
        return
    if file.tensors["energies"].shape != (count,):
        yield f"{name} is damaged (concepts and energies disagree in length)"
        return
    indptr = file.mapped("indptr")
    last, at = -1, 0
    for block in file.blocks("concepts"):
        if len(block) and (block.min() < 0 or block.max() >= n_concepts):
            yield f"{name} is damaged (a concept index is out of range)"
            return
        joined = np.concatenate([[last], block])
        falls = np.flatnonzero(np.diff(joined) <= 0) + at
        first = np.searchsorted(indptr, falls, "left")  # a fall is right where a row begins
        if (np.take(indptr, np.minimum(first, length - 1)) != falls).any():
            yield f"{name} is damaged (concepts of an image do not ascend)"
            return
        last, at = (int(block[-1]) if len(block) else last), at + len(block)
    for block in file.blocks("energies"):
        if not (np.isfinite(block).all() and (block > 0).all()):
            yield f"{name} is damaged (an energy is not a positive number)"
            break


def energies_faults(
    root: Path, files: Sequence[str], name: str, n_concepts: int, rows: int | None
) -> Iterator[str]:
    """Energies of `rows` images in one file or in shards of them, which are called `name`."""
    if len(files) == 1:
        yield from energy_faults(root / files[0], files[0], n_concepts, rows)
        return
    there, broken = 0, False
    for one in files:
        for fault in energy_faults(root / one, one, n_concepts, None):
            broken = True
            yield fault
        if not broken:
            there += TensorFile(root / one).tensors["indptr"].size - 1
    if not broken and rows is not None and there != rows:
        yield f"{name}: energies have {there} images for {rows} rows of its table"


def generation_energies_faults(
    root: Path, files: Sequence[str], name: str, n_concepts: int, pairs: int
) -> Iterator[str]:
    """Energies of single generations of so many pairs, in one file or in shards, called `name`."""
    found = [fault for one in files for fault in energy_faults(root / one, one, n_concepts, None)]
    yield from found
    if found:
        return
    parts: list[np.ndarray] = []
    for one in files:
        file = TensorFile(root / one)
        tensor, images = file.tensors.get("pair"), file.tensors["indptr"].size - 1
        if tensor is None or tensor.kind != "I32" or tensor.shape != (images,):
            parts = []
            break
        parts.append(np.array(file.mapped("pair")))
    pair = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    steps = np.diff(pair)
    right = len(pair) > 0 and pair[0] == 0 and int(pair[-1]) == pairs - 1
    if not (right and ((steps == 0) | (steps == 1)).all()):
        yield f"{name} does not hold one generation or more of each of {pairs} pairs"


def _row_fault(file: TensorFile, name: str, count: int) -> str | None:
    """What is wrong with row pointers into `count` values."""
    if file.tensors[name].size == 0:
        return f"{name} does not start at 0"
    last = 0
    for number, block in enumerate(file.blocks(name)):
        if number == 0 and block[0] != 0:
            return f"{name} does not start at 0"
        if block[0] < last or (np.diff(block) < 0).any():
            return f"{name} descends"
        last = int(block[-1])
    return None if last == count else f"{name} names {last:,} values of {count:,}"


_HEATMAPS = {"keys": ("I32", 2), "indptr": ("I64", 1), "patches": ("U16", 1), "values": ("F16", 1)}


def heatmap_faults(
    path: Path, name: str, n_concepts: int, rows: int | None, patches: int
) -> Iterator[str]:
    """Heatmaps of `rows` images of so many patches."""
    try:
        file = TensorFile(path)
    except (NoTensors, OSError) as error:
        yield f"{name} is not a file of heatmaps ({error})"
        return
    if fault := file.lacks(_HEATMAPS):
        yield f"{name} is not a file of heatmaps ({fault})"
        return
    count, width = file.tensors["keys"].shape
    (length,) = file.tensors["indptr"].shape
    (codes,) = file.tensors["patches"].shape
    if width != 2 or length != count + 1 or file.tensors["values"].shape != (codes,):
        yield f"{name} is damaged (lengths disagree)"
        return
    if fault := _row_fault(file, "indptr", codes):
        yield f"{name} is damaged ({fault})"
    before = np.array([[-1, -1]], np.int64)
    for block in file.blocks("keys"):
        keys = np.concatenate([before, block])
        key = keys[:, 0] * 2**32 + keys[:, 1]
        if (np.diff(key) <= 0).any():
            yield f"{name} is damaged (its keys do not ascend)"
            break
        if block[:, 0].max() >= n_concepts or block[:, 0].min() < 0:
            yield f"{name} names a concept that is none of the {n_concepts}"
            break
        if block[:, 1].min() < 0 or (rows is not None and block[:, 1].max() >= rows):
            yield f"{name} names an image that is none of the {rows}"
            break
        before = block[-1:].astype(np.int64)
    if any((block >= patches).any() for block in file.blocks("patches")):
        yield f"{name} names a patch that is none of the {patches} of the grid"
    if not all(np.isfinite(b).all() and (b >= 0).all() for b in file.blocks("values")):
        yield f"{name} holds a code that is no positive number"


def token_code_faults(path: Path, name: str, n_concepts: int, rows: int | None) -> Iterator[str]:
    """Codes of single tokens of some of `rows` images."""
    try:
        file = TensorFile(path)
    except (NoTensors, OSError) as error:
        yield f"{name} is not a file of token codes ({error})"
        return
    kind = "U16" if n_concepts <= 1 << 16 else "I32"
    needed = {"row": ("I32", 1), "fires": ("U16", 1), "concepts": (kind, 1), "values": ("F16", 1)}
    if fault := file.lacks(needed):
        yield f"{name} is not a file of token codes ({fault})"
        return
    images, tokens, codes, values = (file.tensors[one].shape[0] for one in needed)
    counted = sum(int(block.astype(np.int64).sum()) for block in file.blocks("fires"))
    if codes != values or counted != codes or tokens % max(images, 1) or (tokens and not images):
        yield f"{name} is damaged (lengths disagree)"
        return
    last = -1
    for block in file.blocks("row"):
        joined = np.concatenate([[last], block])
        if (np.diff(joined) <= 0).any() or (rows is not None and block.max(initial=-1) >= rows):
            yield f"{name} names images that are none of the {rows}, or not in their order"
            break
        last = int(joined[-1])
    if any((block < 0).any() or (block >= n_concepts).any() for block in file.blocks("concepts")):
        yield f"{name} names a concept that is none of the {n_concepts}"
    if not all(np.isfinite(b).all() and (b >= 0).all() for b in file.blocks("values")):
        yield f"{name} holds a code that is no positive number"


def feature_faults(path: Path, name: str, rows: int | None) -> Iterator[tuple[str, int]]:
    """Faults of a file of image features, each with the width of its tokens (-1: not known)."""
    try:
        file = TensorFile(path)
    except (NoTensors, OSError) as error:
        yield f"{name} is not a file of image features ({error})", -1
        return
    needed = {"class_token": ("F16", 2), "mean_patch_token": ("F16", 2)}
    if fault := file.lacks(needed):
        yield f"{name} is not a file of image features ({fault})", -1
        return
    shapes = [file.tensors[one].shape for one in needed]
    if shapes[0] != shapes[1]:
        yield f"{name} is damaged (the two tensors differ in shape)", -1
        return
    if rows is not None and shapes[0][0] != rows:
        yield f"{name} has {shapes[0][0]} rows, its table has {rows}", shapes[0][1]
    if not all(np.isfinite(block).all() for one in needed for block in file.blocks(one)):
        yield f"{name} is damaged (a number is not finite)", shapes[0][1]
    yield "", shapes[0][1]
