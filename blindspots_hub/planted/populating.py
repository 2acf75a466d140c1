"""`planted population`: draw, encode and sum a world's scenes on all cores, block by block."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import torch

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.population import (
    BLOCK,
    Population,
    block_population,
    merged,
    population_key,
)
from blindspots_hub.planted.training import load_space
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.cores import cores


def populating(space: Path, out: Path, scenes: int, size: int = BLOCK) -> Work[Population]:
    """Sum `scenes` scenes (rounded up to whole blocks) through the concept space in folder `space`.

    Blocks are kept beside `out` as they come, in a folder of their key, so that a killed run goes
    on where it was. A file `out` that is there holds the first scenes and is added to; one that was
    made with anything else, or that ends within a block, is a `BlindspotsError`.
    """
    key = population_key(load_space(space))
    before = Population.load(out, key) if out.is_file() else None
    if before is not None and before.scenes >= scenes:
        return before
    if before is not None and before.scenes % size:
        raise BlindspotsError(
            f"{out} holds {before.scenes:,} scenes, which are no whole blocks of {size:,}: add to "
            "it in blocks of the size that it was made with."
        )
    folder = out.parent / f"{out.stem}-blocks" / f"{key[:16]}-{size}"
    first, blocks = (before.scenes // size if before else 0), -(-scenes // size)
    missing = [b for b in range(first, blocks) if not _path(folder, b).is_file()]
    done = blocks - len(missing)
    yield Event("draw the population", done * size, blocks * size)
    # A process a core: drawing holds Python's lock, and a network on one core wastes none.
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        work = [pool.submit(_write_block, str(space), str(folder), b, size, key) for b in missing]
        try:
            for finished in as_completed(work):
                finished.result()
                done += 1
                yield Event("draw the population", done * size, blocks * size)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    made = [Population.load(_path(folder, block), key) for block in range(first, blocks)]
    whole = merged([before, *made] if before else made)
    whole.save(out)
    return whole


def _path(folder: Path, block: int) -> Path:
    return folder / f"block-{block:05d}.safetensors"


def _write_block(space: str, folder: str, block: int, size: int, key: str) -> None:
    torch.set_num_threads(1)
    block_population(block, load_space(Path(space)), key, size).save(_path(Path(folder), block))
