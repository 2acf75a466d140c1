"""Tokens a second on a CUDA device, against the paper's, and against the device's own GEMM peak."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from blindspots_hub.benchmarks.harness import Row, at_least, unmeasured
from blindspots_hub.benchmarks.sae_training import FULL, StepShape, our_step, tokens_for
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.progress import Event, Work

PAPER_RATE = 64_000
"""Tokens a second and GPU of the paper's training: 1.67·10¹⁰ in 72 H100-hours (appendix B)."""

TRAINING_RATE = 1_000_000
"""Goal for training on an H200, tokens a second."""

ENCODING_RATE = 5_000_000
"""Goal for encoding on an H200, tokens a second."""

_LARGE = 16_384
_ENCODED = 1 << 18


def cuda_rows(repeats: int, judged: bool) -> Work[list[Row]]:
    """Training with bf16 and encoding at d = 768, n = 32,000; one row says so without a device."""
    goals = {
        "training, bf16, 768/32000/2048": f"≥ {TRAINING_RATE:,} tokens/s",
        "encoding, 768/32000": f"≥ {ENCODING_RATE:,} tokens/s",
    }
    if not torch.cuda.is_available():
        return [unmeasured(f"CUDA: {name}", "no CUDA device", g) for name, g in goals.items()]
    yield Event("CUDA", 0, 3)
    peak = _peak(repeats)
    yield Event("CUDA", 1, 3)
    shape = StepShape(FULL.d, FULL.n_concepts, FULL.n_centroids, _LARGE)
    tokens = torch.from_numpy(tokens_for(shape, 2, seed=0)).cuda()
    centroids, x = tokens[: shape.n_centroids].cpu(), tokens[shape.batch :]
    step = our_step(shape, centroids, device="cuda", precision="bf16")
    trained = shape.batch / _seconds(lambda: step(x), repeats)
    yield Event("CUDA", 2, 3)
    config = RASAEConfig(d=shape.d, n_concepts=shape.n_concepts, backbone="random")
    sae = RASAE(config).cuda().eval()
    many = x.repeat(_ENCODED // len(x), 1)
    encoded = len(many) / _seconds(lambda: sae.encode(many), repeats)
    yield Event("CUDA", 3, 3)
    once = 2 * shape.d * shape.n_concepts
    # A step's dense products: x Wᵀ a token, and A C with the gradient of A a batch.
    products = once + 4 * shape.n_concepts * shape.n_centroids * shape.d / shape.batch
    rows = []
    for (name, _), rate, goal, operations in zip(
        goals.items(), (trained, encoded), (TRAINING_RATE, ENCODING_RATE), (products, once),
        strict=True,
    ):  # fmt: skip
        share = rate * operations / peak
        row = at_least(
            f"CUDA: {name}", rate, goal, " tokens/s", judged=judged,
            paper_rate=PAPER_RATE, times_paper=rate / PAPER_RATE,
            gemm_peak_tflops=peak / 1e12, share_of_gemm_peak=share,
        )  # fmt: skip
        rows.append(row)
    return rows


def _peak(repeats: int) -> float:
    """Operations a second of the largest bf16 product that this benchmark is made of."""
    x = torch.randn(_LARGE, FULL.d, device="cuda", dtype=torch.bfloat16)
    weight = torch.randn(FULL.n_concepts, FULL.d, device="cuda", dtype=torch.bfloat16)
    out = torch.empty(_LARGE, FULL.n_concepts, device="cuda", dtype=torch.bfloat16)
    seconds = _seconds(lambda: torch.mm(x, weight.T, out=out), repeats)
    return 2 * _LARGE * FULL.d * FULL.n_concepts / seconds


def _seconds(run: Callable[[], object], repeats: int) -> float:
    """Median seconds of `run`, waited for; two runs go before."""
    times = []
    for _ in range(repeats + 2):
        torch.cuda.synchronize()
        started = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return sorted(times[2:])[repeats // 2]
