"""`python -m blindspots_hub.benchmarks.worker ORDER`: one measurement of memory, as JSON.

In a process of its own, so that nothing that was held before hides what it takes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blindspots_hub.benchmarks.synthetic import PublishedLike


def main() -> None:
    """Do what the order (a JSON object) says and print the answer."""
    order = json.loads(sys.argv[1])
    for told in answers(order):
        print(json.dumps(told), flush=True)


def answers(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is printed, a JSON object a line."""
    if order["work"] == "sizes":
        yield from sizes(order)
    elif order["work"] == "encode":
        yield encoding(order)
    else:
        yield one_image(order)


def sizes(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """`measured_sizes`, with a limit on this process's data up to `limited` pairs."""
    import resource

    # The limit counts what may be written, used or not, and pyarrow's allocator would ask for a
    # whole GiB of that at its start; so it asks piece by piece.
    os.environ["MIMALLOC_ARENA_EAGER_COMMIT"] = "0"
    from blindspots_hub.benchmarks.measure_scale import LIMIT, Size, measured_sizes

    # Private writable memory: what the process itself asks for, not the libraries it maps.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, hard))
    with tempfile.TemporaryDirectory() as folder:
        for found in measured_sizes(_world(order), Path(folder), order["sizes"]):
            if not isinstance(found, Size):
                yield {"pairs": found}
                continue
            if found.pairs >= order["limited"]:
                resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
            yield {"size": vars(found)}


def encoding(order: dict[str, Any]) -> dict[str, Any]:
    """Bytes by which encoding the tokens in a folder, in one of the two ways, raises the memory."""
    import numpy as np
    import torch

    from blindspots_hub.benchmarks.encode import plain_encode
    from blindspots_hub.benchmarks.memory import raised_by
    from blindspots_hub.concepts.rasae import RASAE

    folder = Path(order["folder"])
    sae = RASAE.from_pretrained(folder)
    tokens = torch.from_numpy(np.load(folder / "tokens.npy"))
    few = RASAE(sae.config.__class__(d=8, n_concepts=16)).eval()  # loads the libraries' code
    encode = {"ours": RASAE.encode, "plain": plain_encode}[order["way"]]
    encode(few, torch.zeros(2, 8))
    for weights in sae.state_dict().values():
        weights.sum()  # the file is mapped: only now is it in memory
    return {"bytes": raised_by(lambda: encode(sae, tokens))}


def one_image(order: dict[str, Any]) -> dict[str, Any]:
    """Bytes by which one of the two ways raises the memory, with ten images at once."""
    import torch

    from blindspots_hub.benchmarks.dense_baseline import FEATURES_BATCH, DenseFeatures, DenseRanking
    from blindspots_hub.benchmarks.measure_image import our_way
    from blindspots_hub.benchmarks.memory import raised_by
    from blindspots_hub.benchmarks.synthetic import LAYOUT

    like = _world(order)
    sae = like.model("batch_topk")
    stream = like.more_tokens(seed=1)
    tokens = torch.stack([next(stream) for _ in range(FEATURES_BATCH)])

    def dense() -> None:
        features, ranking = DenseFeatures(sae), DenseRanking(sae, LAYOUT)
        features.add(tokens)
        ranking.add(tokens[:1], [0])

    work = {"ours": lambda: our_way(sae, tokens), "dense": dense}[order["work"]]
    return {"bytes": raised_by(work)}


def _world(order: dict[str, Any]) -> PublishedLike:
    from blindspots_hub.benchmarks.synthetic import published_like

    return published_like(images=1, d=order["d"], n_concepts=order["n"])


if __name__ == "__main__":
    main()
