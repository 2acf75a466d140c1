"""Encoding against the plain way and against its own matrix product, in one interleaved run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

from blindspots_hub.benchmarks import memory
from blindspots_hub.benchmarks.harness import Row, at_most, beside, in_turns, unmeasured
from blindspots_hub.benchmarks.synthetic import TOKENS, PublishedLike, published_like
from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.encoder.fast_encoder import FastEncoder
from blindspots_hub.concepts.encoder.screen import fast_bfloat16
from blindspots_hub.concepts.encoder.select import at_least as dense_at_least
from blindspots_hub.concepts.encoder.select import top_k as dense_top_k
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.rasae_config import Sparsity
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

OVER_BF16, OVER_FP32 = 1.3, 1.25
"""Our time over that of the matrix product alone, with and without fast bf16."""
MEMORY = 0.25
"""Our peak memory over the plain way's."""
PROCESSES = 3
"""Processes that memory is measured in."""
_RULES: tuple[Sparsity, ...] = ("batch_topk", "topk")
_CPU = torch.device("cpu")


def measure_encode(tokens: int, d: int, n: int, repeats: int) -> Work[list[Row]]:
    """Encode at least `tokens` tokens of width `d` with `n` concepts on the CPU, by both rules.

    Tokens and weights are synthetic with the published model's statistics, in whole images of 261
    tokens. The contenders take turns `repeats` times after a warm-up, and medians are compared:
    `encode`, the same with a float32 screen, the plain way (dense float32 codes of all tokens, then
    the rule) and the matrix products alone: tokens by weights, the (T, n) result in new memory, as
    a program would call it; the times tell what that memory costs. Images beyond 1,044 tokens, as
    many as `encode` takes at once, make the dense ways' memory grow, and not ours.
    Peak memory is that of fresh processes, above what they hold with the model loaded; the median
    of three, whose allocators do not leave the same gaps.
    """
    like = published_like(images=-(-tokens // TOKENS), d=d, n_concepts=n)
    yield Event("encode: make weights", 1, 1)
    models = {rule: like.model(rule) for rule in _RULES}
    times = yield from in_turns(_contenders(like, models), repeats, "encode: take turns")
    images = len(like.tokens) / TOKENS
    per_image = {name: 1e3 * seconds / images for name, seconds in times.items()}
    rows: list[Row] = []
    for rule, model in models.items():
        ours, dense = per_image[rule], per_image[f"{rule}, plain"]
        rows.append(_agreement(rule, model, like.tokens))
        rows.append(beside(f"encode, {rule}: times the plain way's speed", dense / ours, " ×"))
        if "bf16 product" in per_image:
            over = ours / per_image["bf16 product"]
            rows.append(at_most(f"encode, {rule}: time over the bf16 product", over, OVER_BF16, ""))
        over = per_image[f"{rule}, fp32 screen"] / per_image["fp32 product"]
        rows.append(at_most(f"encode, {rule}, fp32 screen: over its product", over, OVER_FP32, ""))
    yield Event("encode: peak memory", 0, 1)
    rows += _memory(models, like.tokens)
    yield Event("encode: peak memory", 1, 1)
    shown = ", ".join(f"{name} {ms:.3g}" for name, ms in per_image.items())
    rows.append(Row("ms an image, medians", shown, "", "not judged", detail=dict(per_image)))
    return rows


def plain_encode(sae: RASAE, tokens: torch.Tensor) -> SparseCodes:
    """The plain way: dense float32 codes of all `tokens` (T, d) at once, then the rule."""
    with torch.no_grad():
        pre = sae.pre_codes(tokens)
    if sae.config.threshold is not None:
        return dense_at_least(pre, sae.config.threshold)
    return dense_top_k(pre, sae.config.k)


def _contenders(
    like: PublishedLike, models: dict[Sparsity, RASAE]
) -> dict[str, Callable[[int], None]]:
    """What is timed, by name."""
    tokens, weight = like.tokens, like.weights["encoder.weight"]
    found: dict[str, Callable[[], object]] = {}
    types = {"fp32 product": torch.float32}
    if fast_bfloat16(_CPU):
        types = {"bf16 product": torch.bfloat16, **types}
    for name, dtype in types.items():
        rows, columns = tokens.to(dtype), weight.to(dtype).T
        out = torch.empty(len(tokens), len(weight), dtype=dtype)
        found[name] = partial(torch.mm, rows, columns)
        found[f"{name} into used memory"] = partial(torch.mm, rows, columns, out=out)
    for rule, model in models.items():
        parts = (model.encoder.weight, model.encoder.bias, model.norm.weight, model.norm.bias)
        fp32 = FastEncoder(model.config, *parts, screen=torch.float32)
        found[rule] = partial(model.encode, tokens)
        found[f"{rule}, fp32 screen"] = partial(fp32.encode, tokens)
        found[f"{rule}, plain"] = partial(plain_encode, model, tokens)
    return {name: partial(_once, work) for name, work in found.items()}


def _once(work: Callable[[], object], _turn: int) -> None:
    work()


def _agreement(rule: Sparsity, model: RASAE, tokens: torch.Tensor) -> Row:
    """Fires that only one of the two ways has, and how far apart the values are."""
    codes, plain = model.encode(tokens), plain_encode(model, tokens)
    keys, plain_keys = (
        one.token_of() * one.n_concepts + one.concepts.astype(np.int64) for one in (codes, plain)
    )
    _, ours, theirs = np.intersect1d(keys, plain_keys, assume_unique=True, return_indices=True)
    apart = np.abs(codes.values[ours] - plain.values[theirs]) / plain.values[theirs]
    return at_most(
        f"encode, {rule}: fires unlike the plain way's",
        float(codes.nnz + plain.nnz - 2 * len(ours)),
        0,
        "",
        fires=codes.nnz,
        codes_a_token=codes.nnz / codes.tokens,
        largest_relative_difference=float(apart.max()),
    )


def _memory(models: dict[Sparsity, RASAE], tokens: torch.Tensor) -> list[Row]:
    names = {rule: f"encode, {rule}: peak memory over the plain way's" for rule in models}
    if not memory.known():
        why = "only Linux tells a process's peak"
        return [unmeasured(name, why, f"≤ {MEMORY:g}") for name in names.values()]
    rows = []
    for rule, model in models.items():
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            np.save(Path(folder) / "tokens.npy", tokens.numpy())
            ours, plain = (
                median(_peak(Path(folder), way) for _ in range(PROCESSES))
                for way in ("ours", "plain")
            )
        rows.append(
            at_most(names[rule], ours / plain, MEMORY, "", ours_bytes=ours, plain_bytes=plain)
        )
    return rows


def _peak(folder: Path, way: str) -> int:
    """Bytes that a fresh process takes to encode, beyond those of the loaded model."""
    order = {"work": "encode", "folder": str(folder), "way": way}
    try:
        (answer,) = memory.in_own_process(memory.WORKER, order)
    except memory.Failed as failed:
        raise BlindspotsError(
            f"Peak memory could not be measured, the process ended with: {failed}"
        ) from None
    return int(answer["bytes"])
