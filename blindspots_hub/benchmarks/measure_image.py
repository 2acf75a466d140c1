"""Everything after the backbone, for one image: ours against the dense way and its own product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.dense_baseline import (
    FEATURES_BATCH,
    RANKING_BATCH,
    TOP,
    DenseFeatures,
    DenseRanking,
)
from blindspots_hub.benchmarks.harness import Row, at_most, beside, in_turns, unmeasured
from blindspots_hub.benchmarks.synthetic import LAYOUT, TOKENS, PublishedLike
from blindspots_hub.concepts.encoder.screen import fast_bfloat16
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.cooccurrence import co_occurrence
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.images import top_images
from blindspots_hub.progress import Event, Work
from blindspots_hub.runs.gpu_work import ENCODED_AT_ONCE

OVER_PRODUCT = 1.3
"""Our time over that of the encoder's matrix product alone, in the type that screens."""
MEMORY = 0.25
"""Our peak memory over the dense way's."""
AGREE = 1e-4
"""Largest difference from the dense way's results, as a share of the largest of them."""


@dataclass(frozen=True)
class Ours:
    """What both ways find of some images: sums over the patches for `top`, over all for `mean`."""

    energies: ImageEnergies
    co_occurrence: sparse.csr_matrix
    top: list[np.ndarray]


def our_way(sae: RASAE, tokens: torch.Tensor, which: str = "patches") -> Ours:
    """Energies over the tokens `which`, co-activation, top images, of `tokens` (B, T, d)."""
    codes = [one for some in tokens.split(ENCODED_AT_ONCE) for one in sae.encode_images(some)]
    ids = [str(number) for number in range(len(codes))]
    coded = CodedImages(ids, codes, {}, LAYOUT, sae.config.n_concepts)
    energies = coded.energies(which)
    return Ours(energies, co_occurrence(codes), top_images(energies, TOP))


class Both:
    """Both ways on the same tokens (B, T, d): what is timed, and how far their results differ."""

    def __init__(self, sae: RASAE, tokens: torch.Tensor) -> None:
        self.sae, self.tokens = sae, tokens
        self.features, self.ranking = DenseFeatures(sae), DenseRanking(sae, LAYOUT)
        self._summed = self._ranked = 0

    def sum_dense(self, turn: int) -> None:
        """The first pass of the dense way over its ten images."""
        self.features.add(self.tokens[:FEATURES_BATCH])
        self._summed += 1

    def rank_dense(self, turn: int) -> None:
        """The second pass over the next four images: none comes twice."""
        ids = list(range(self._ranked, self._ranked + RANKING_BATCH))
        self.ranking.add(self.tokens[ids], ids)
        self._ranked += RANKING_BATCH

    def differences(self) -> dict[str, float]:
        """Largest difference of each result, as a share of the largest value of its kind."""
        ten = our_way(self.sae, self.tokens[:FEATURES_BATCH], "all")
        energies = ten.energies.matrix.sum(axis=0).A1
        theirs = self.features.energies.double().numpy() / self._summed
        found = {"energies": np.abs(energies - theirs).max() / theirs.max()}
        square, largest = self.features.co_occurrence, 0.0
        for start in range(0, len(square), 500):
            rows = square[start : start + 500].double().numpy() / self._summed
            rows -= ten.co_occurrence[start : start + 500].toarray()
            largest = max(largest, np.abs(rows).max())
        found["co_occurrence"] = largest / ten.co_occurrence.max()

        ranked = our_way(self.sae, self.tokens[: self._ranked])
        scores = np.asarray(ranked.energies.matrix.todense())
        patches = LAYOUT.grid[0] * LAYOUT.grid[1]
        means = self.ranking.maps.mean(dim=(2, 3)).double().numpy() * patches
        largest = 0.0
        for concept, (mine, other) in enumerate(zip(ranked.top, means, strict=True)):
            padded = np.zeros(TOP)
            padded[: len(mine)] = scores[mine, concept]
            largest = max(largest, np.abs(padded - np.maximum(other, 0)).max())
            named = self.ranking.images[concept][: len(mine)]
            # Another image in the same place is right only where it scores the same.
            largest = max(
                largest, np.abs(scores[named, concept] - scores[mine, concept]).max(initial=0)
            )
        found["top_images"] = largest / scores.max()
        return {name: float(value) for name, value in found.items()}


def image_rows(like: PublishedLike, images: int, repeats: int, judged: bool) -> Work[list[Row]]:
    """Speed and memory for `images` images, at least ten and four a round.

    Each way takes the number of images at once that is its own, the dense one ten and four, ours
    all of them, so that what is done once for all images weighs as little as in a real run.
    """
    n, sae = len(like.weights["encoder.weight"]), like.model("batch_topk")
    stream = like.more_tokens(seed=1)
    tokens = torch.stack([next(stream) for _ in range(images)])
    bf16 = fast_bfloat16(torch.device("cpu"))
    name, dtype = ("bf16", torch.bfloat16) if bf16 else ("fp32", torch.float32)
    contenders: dict[str, Callable[[int], None]] = {
        "ours": lambda turn: _drop(our_way(sae, tokens)),
        "product": product(like.weights["encoder.weight"].to(dtype), tokens.to(dtype)),
    }
    why = too_little_memory(n)
    both = None if why else Both(sae, tokens)
    if both is not None:
        contenders |= {"features": both.sum_dense, "ranking": both.rank_dense}
    seconds = yield from in_turns(contenders, repeats, "one image")
    ms = {
        "ours": 1e3 * seconds["ours"] / images,
        f"{name} product": 1e3 * seconds["product"] / images,
    }
    speed = "one image after the backbone: times the dense way's speed"
    if both is None:
        rows = [unmeasured(speed, str(why), "told")]
    else:
        ms["dense, first pass"] = 1e3 * seconds["features"] / FEATURES_BATCH
        ms["dense, second pass"] = 1e3 * seconds["ranking"] / RANKING_BATCH
        dense = ms["dense, first pass"] + ms["dense, second pass"]
        apart = both.differences()
        alike, worst = "one image: largest difference from the dense way", max(apart.values())
        rows = [
            at_most(alike, worst, AGREE, "", shares=apart),
            beside(speed, dense / ms["ours"], " ×", ms_an_image=ms),
        ]
    floor = f"one image after the backbone: time over its {name} product"
    over = ms["ours"] / ms[f"{name} product"]
    rows.append(at_most(floor, over, OVER_PRODUCT, " ×", judged=judged, ms_an_image=ms))
    return rows


def memory_row(d: int, n: int, judged: bool) -> Work[Row]:
    """Peak memory of the two ways, each in a process of its own, above what it held before."""
    name = "one image after the backbone: peak memory over the dense way's"
    why = too_little_memory(n)
    if why:
        return unmeasured(name, why, f"≤ {MEMORY:g} ×")
    taken = {}
    for done, way in enumerate(("ours", "dense")):
        yield Event("peak memory", done, 2)
        order = {"work": way, "d": d, "n": n}
        try:
            (answer,) = memory.in_own_process(memory.WORKER, order)
        except memory.Failed as failed:
            return unmeasured(name, f"its process failed ({failed})", f"≤ {MEMORY:g} ×")
        taken[way] = answer["bytes"]
    yield Event("peak memory", 2, 2)
    if not taken["dense"]:
        return unmeasured(name, "so few concepts raise no peak that can be seen", f"≤ {MEMORY:g} ×")
    return at_most(name, taken["ours"] / taken["dense"], MEMORY, " ×", judged=judged, bytes=taken)


def too_little_memory(n: int) -> str | None:
    """Why the dense way with `n` concepts cannot be measured here, if so."""
    if not memory.known():
        return "how much memory is free is known on Linux only"
    needed = 4 * n * (2 * n + 4 * FEATURES_BATCH * TOKENS + TOP * 256)
    free = memory.available()
    if free > 1.1 * needed:
        return None
    return f"needs {1.1 * needed / 2**30:.0f} GiB of free memory, {free / 2**30:.0f} are there"


def product(weight: torch.Tensor, tokens: torch.Tensor) -> Callable[[int], None]:
    """Multiplies the tokens (B, T, d), ten images at once, by `weight` (n, d): nothing else."""
    tens = [ten.flatten(0, 1) for ten in tokens.split(FEATURES_BATCH)]
    out = torch.empty(len(tens[0]), len(weight), dtype=weight.dtype)

    def run(turn: int) -> None:
        for ten in tens:
            torch.mm(ten, weight.T, out=out[: len(ten)])

    return run


def _drop(found: object) -> None:
    """So that the clock runs."""
