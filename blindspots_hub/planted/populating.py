"""`planted population`: draw, encode and sum a world's scenes on all cores, block by block."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import torch

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.planted.build import load_space
from blindspots_hub.planted.population import (
    BLOCK,
    Population,
    block_population,
    merged,
    population_key,
)
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.cores import cores


def populating(space: Path, out: Path, scenes: int, size: int = BLOCK) -> Work[Population]:
    """Sum `scenes` scenes (rounded up to whole blocks) through the concept space in folder `space`.

    Blocks are kept beside `out` as they come, in a folder of their key, so that a killed run goes
    on where it was and a longer one adds to it; `out` holds the sum of all blocks up to `scenes`.
    """
    key = population_key(load_space(space))
    folder = out.parent / f"{out.stem}-blocks" / f"{key[:16]}-{size}"
    wanted = range(-(-scenes // size))
    missing = [block for block in wanted if not _path(folder, block).is_file()]
    done = len(wanted) - len(missing)
    yield Event("draw the population", done * size, len(wanted) * size)
    # A process a core: drawing holds Python's lock, and a network on one core wastes none.
    with ProcessPoolExecutor(cores(), get_context("spawn")) as pool:
        work = [pool.submit(_write_block, str(space), str(folder), b, size, key) for b in missing]
        try:
            for finished in as_completed(work):
                finished.result()
                done += 1
                yield Event("draw the population", done * size, len(wanted) * size)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return merging(folder, key, out, len(wanted))


def merging(folder: Path, key: str, out: Path, blocks: int) -> Population:
    """Write the sum of those of the first `blocks` blocks that are in `folder` to `out`.

    Raises `BlindspotsError` where none of them is there.
    """
    paths = [path for block in range(blocks) if (path := _path(folder, block)).is_file()]
    if not paths:
        raise BlindspotsError(f"{folder} holds no blocks of a population: draw some scenes first.")
    whole = merged([Population.load(path, key) for path in paths])
    whole.save(out)
    return whole


def _path(folder: Path, block: int) -> Path:
    return folder / f"block-{block:05d}.safetensors"


def _write_block(space: str, folder: str, block: int, size: int, key: str) -> None:
    torch.set_num_threads(1)
    block_population(block, load_space(Path(space)), key, size).save(_path(Path(folder), block))
