"""`python -m blindspots_hub.benchmarks.size_worker ORDER`: one measurement of `benchmark size`.

In a process of its own, whose memory is nobody else's; what it finds is printed as JSON, a line
each.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from blindspots_hub.benchmarks import memory


def main() -> None:
    """Do what the order (a JSON object) says and print the answer."""
    order = json.loads(sys.argv[1])
    work = {
        "codes": codes,
        "tables": tables,
        "nearest": nearest,
        "thumbnails": thumbnails,
        "checkpoints": checkpoints,
        "combine": combining,
    }[order["work"]]
    for told in work(order):
        print(json.dumps(told), flush=True)


def codes(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Write the kept codes of all pairs."""
    from blindspots_hub.benchmarks.size_world import write_codes

    for done in write_codes(Path(order["folder"]), order["pairs"], order["n"]):
        if done % 3_200 == 0 or done == order["pairs"]:
            yield {"done": done}


def tables(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """From kept codes to a whole bundle: seconds, seconds of processor time, and peak memory."""
    import numpy as np

    from blindspots_hub.artifacts.schema import CONCEPTS
    from blindspots_hub.benchmarks.size_world import stores
    from blindspots_hub.measure.settings import MeasureSettings
    from blindspots_hub.progress import drive
    from blindspots_hub.runs.assemble import ModelImages, assemble
    from blindspots_hub.runs.encoding import SHARD, coded_side
    from blindspots_hub.runs.generating import portions

    n, count, root = order["n"], order["use"], Path(order["bundle"])
    settings = MeasureSettings()
    began, cpu = time.perf_counter(), time.process_time()
    sides = {}
    for name, store in stores(Path(order["folder"]), order["pairs"], n).items():
        coded = store.load(range(-(-count // SHARD)), settings.tokens)
        coded = coded.take(store.ids[:count])
        captions = {image_id: f"caption {image_id}" for image_id in coded.ids}
        sides[name] = coded_side(coded, captions, {}, settings.tokens)
    natural, ids = sides["natural"], sides["natural"].ids

    def rows(some: Any) -> dict[str, Any]:
        kept = {"pair_id": list(some), "image": [None] * len(some)}
        return {**kept, "image_sha256": ["0" * 64] * len(some)}

    concepts = {
        **{column.name: [None] * n for column in CONCEPTS.columns if not column.optional},
        **{name: [[]] * n for name in ("nearest", "nearest_cosine")},
        **{name: [[]] * n for name in ("often_with", "often_with_cosine")},
        "concept": np.arange(n, dtype=np.int32),
        "cluster": np.full(n, -1, np.int32),
        "images": natural.energies.fires,
        "frequency": natural.energies.fires / count,
    }
    model = ModelImages(
        name="model",
        title="Model",
        side=sides["generated"],
        natural_rows=np.arange(count),
        generations=(
            {
                **rows(some),
                "draw": [0] * len(some),
                "seed": [0] * len(some),
                "flags": [[]] * len(some),
                "status": ["ok"] * len(some),
            }
            for some in portions(ids, 4_096)
        ),
        run={},
    )
    pairs = (
        {
            **rows(some),
            "caption": [f"caption {one}" for one in some],
            "url": [None] * len(some),
            "image_size": [1] * len(some),
        }
        for some in portions(ids, 4_096)
    )
    space = {
        "backbone": "synthetic", "preprocessing": {}, "sae": "synthetic", "n_concepts": n,
        "layout": {"cls": 1, "registers": 4, "grid": [16, 16]},
    }  # fmt: skip
    identity = {"name": "size", "version": "1.0.0", "concept_space": space}
    drive(assemble(root, identity, pairs, concepts, natural, [model], settings))
    yield {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - cpu,
        "peak": memory.peak(),
        "fires": len(natural.energies.concepts) + len(sides["generated"].energies.concepts),
    }


def nearest(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nearest atoms of so many: seconds, peak memory, and seconds of the products alone.

    Products are those of a sample of the tiles, times as many as there are.
    """
    import numpy as np

    from blindspots_hub.analysis.concept_map import TILE, UMAP_NEIGHBOURS, nearest_atoms

    rng = np.random.default_rng(0)
    atoms = rng.normal(size=(order["n"], order["d"])).astype(np.float32)
    nearest_atoms(atoms[:64], UMAP_NEIGHBOURS - 1)  # compiles
    began, processor = time.perf_counter(), time.process_time()
    nearest_atoms(atoms, UMAP_NEIGHBOURS - 1)
    found = {
        "seconds": time.perf_counter() - began,
        "processor": time.process_time() - processor,
        "peak": memory.peak(),
    }
    one, other = atoms[:TILE], atoms[-TILE:].T
    one @ other
    began, turns = time.perf_counter(), 8
    for _ in range(turns):
        one @ other
    tile = (time.perf_counter() - began) / turns / (len(one) * other.shape[1])
    yield {**found, "products": tile * order["n"] ** 2 / 2}


def thumbnails(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Processor time of the thumbnail of an image that is decoded already, and of decoding it."""
    import io

    import numpy as np
    from PIL import Image

    from blindspots_hub.runs.encoding import thumbnail_of

    rng = np.random.default_rng(0)
    files = []
    for _ in range(20):
        file = io.BytesIO()
        noise = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
        noise.resize((512, 512)).save(file, "JPEG", quality=90)
        files.append(file)
    images = [Image.open(file).convert("RGB") for file in files]

    def seconds(work: Callable[[int], object]) -> float:
        work(0)
        began = time.process_time()
        for turn in range(order["images"]):
            work(turn % len(images))
        return (time.process_time() - began) / order["images"]

    yield {
        "seconds": seconds(lambda turn: thumbnail_of(images[turn])),
        "decoding": seconds(lambda turn: Image.open(files[turn]).load()),
    }


def checkpoints(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Write bundles of one checkpoint each."""
    from blindspots_hub.benchmarks import page_world, size_world
    from blindspots_hub.progress import drive

    folder = Path(order["folder"])
    base = drive(page_world.made(folder / "base", order["pairs"], order["n"], 1))
    size_world.checkpoints(base, folder, order["checkpoints"])
    yield {"done": order["checkpoints"]}


def combining(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One bundle of all of them: seconds, peak memory, and bytes that were written."""
    import os

    from blindspots_hub.benchmarks.size_world import opened
    from blindspots_hub.progress import drive
    from blindspots_hub.runs.combine import combining as combine

    folder, out = Path(order["folder"]), Path(order["out"])
    bundles = [opened(path) for path in sorted(folder.glob("step-*"))]
    began = time.perf_counter()
    drive(combine(bundles, out, False, "checkpoints"))
    found = [os.lstat(path) for path in out.rglob("*") if path.is_file()]
    yield {
        "seconds": time.perf_counter() - began,
        "peak": memory.peak(),
        "written": sum(one.st_size for one in found if one.st_nlink == 1),
        "bytes": sum(one.st_size for one in found),
    }


if __name__ == "__main__":
    main()
