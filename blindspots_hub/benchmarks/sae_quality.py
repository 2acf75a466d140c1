"""What a training reaches in equal steps: ours against overcomplete's RA-SAE, on the same tokens.

Both get the same tokens, candidate points (mini-batch k-means, n' = n), relaxation, k (top-k),
steps, batch, learning rate of every step, AdamW with its β and weight decay, Xavier initialisation,
scale of the first reconstructions, and the weight of the auxiliary term; both in fp32. Each draws
its own random weights and order of batches. What differs is the code: A starts as overcomplete's
identity there and as ours here, rows of A are normalised after a step there and within it here.
Both models are then measured by `reconstruction_quality` on tokens that neither has seen.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.benchmarks.harness import Row, at_least, at_most, unmeasured
from blindspots_hub.benchmarks.overcomplete import NotInstalled, Overcomplete, Stopped, environment
from blindspots_hub.concepts.quality.reconstruction import reconstruction_quality
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.concepts.training.kmeans import token_centroids
from blindspots_hub.concepts.training.schedule import learning_rate
from blindspots_hub.concepts.training.train import TrainConfig, train_on_tokens
from blindspots_hub.progress import Event, Work

R2_BELOW = 0.005
"""How far R² may lie below overcomplete's."""

QualityTokens = Callable[[int], Work[NDArray[np.float32]]]
"""Makes the tokens (images, T, d) of as many images; work, because it takes a while."""


@dataclass(frozen=True)
class QualityShape:
    """Sizes of the trainings: images, those of them that are held out, n = n' atoms, and so on."""

    images: int
    held_out: int
    n_concepts: int
    steps: int
    batch: int
    seeds: int


FULL = QualityShape(images=1000, held_out=200, n_concepts=1024, steps=400, batch=1024, seeds=3)
QUICK = QualityShape(images=60, held_out=20, n_concepts=128, steps=50, batch=256, seeds=1)


def quality_rows(
    tokens_of: QualityTokens, shape: QualityShape, cache: Path, judged: bool
) -> Work[list[Row]]:
    """R² and dead share of both, as differences of means over `seeds` trainings each."""
    label = (
        f"RA-SAE of {shape.n_concepts} atoms, {shape.steps} steps of {shape.batch} tokens, mean of "
        f"{shape.seeds}"
    )
    try:
        python = environment(cache)
    except NotInstalled as why:
        return _unmeasured(label, str(why))
    every = yield from tokens_of(shape.images)
    width = every.shape[2]
    held_out = every[: shape.held_out].reshape(-1, width)
    tokens = every[shape.held_out :].reshape(-1, width)
    ours, theirs = [], []
    try:
        for seed in range(shape.seeds):
            config = TrainConfig(
                n_concepts=shape.n_concepts,
                n_centroids=shape.n_concepts,
                steps=shape.steps,
                batch=shape.batch,
            )
            sae = yield from train_on_tokens(tokens, config, seed)
            ours.append(reconstruction_quality(sae, held_out))
            theirs.append((yield from _theirs(python, tokens, held_out, config, seed)))
    except Stopped as why:
        return _unmeasured(label, str(why))
    means = {
        name: {key: float(np.mean([one[key] for one in runs])) for key in runs[0]}
        for name, runs in (("ours", ours), ("overcomplete", theirs))
    }
    detail = {"means": means, "ours": ours, "overcomplete": theirs, "shape": asdict(shape)}
    return [
        at_least(
            f"{label}: R² minus overcomplete's",
            means["ours"]["r2"] - means["overcomplete"]["r2"],
            -R2_BELOW,
            "",
            judged=judged,
            **detail,
        ),
        at_most(
            f"{label}: dead share minus overcomplete's",
            means["ours"]["dead_share"] - means["overcomplete"]["dead_share"],
            0.0,
            "",
            judged=judged,
            **detail,
        ),
    ]


def _unmeasured(label: str, why: str) -> list[Row]:
    return [
        unmeasured(f"{label}: R² minus overcomplete's", why, f"≥ -{R2_BELOW:g}"),
        unmeasured(f"{label}: dead share minus overcomplete's", why, "≤ 0"),
    ]


def _theirs(
    python: Path,
    tokens: NDArray[np.float32],
    held_out: NDArray[np.float32],
    config: TrainConfig,
    seed: int,
) -> Work[dict[str, float]]:
    """Train overcomplete's RA-SAE by the same recipe and measure it as ours is."""
    steps = config.total_steps(len(tokens))
    centroids = yield from token_centroids(
        tokens, config.n_centroids, config.kmeans_steps, max(config.batch, 1024), seed
    )  # the same call as in `train_on_tokens`, and so the same points
    yield Event("train overcomplete's RA-SAE", 0, 1)
    with tempfile.TemporaryDirectory() as name, Overcomplete(python, Path(name)) as theirs:
        np.save(theirs.folder / "tokens.npy", tokens)
        np.save(theirs.folder / "centroids.npy", centroids)
        theirs.order(
            "build",
            tokens=str(theirs.folder / "tokens.npy"),
            centroids=str(theirs.folder / "centroids.npy"),
            n_concepts=config.n_concepts,
            k=config.k,
            relaxation=config.relaxation,
            batch=config.batch,
            rate=config.peak_rate,
            betas=config.betas,
            weight_decay=config.weight_decay,
            auxiliary_weight=config.auxiliary_weight,
            threads=torch.get_num_threads(),
            seed=seed,
        )
        rates = [
            learning_rate(step, steps, config.warmup_share, config.peak_rate, config.final_rate)
            for step in range(steps)
        ]
        out = theirs.folder / "weights.npz"
        theirs.order("whole", rates=rates, out=str(out))
        with np.load(out) as arrays:
            weights = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    yield Event("train overcomplete's RA-SAE", 1, 1)
    sae = RASAE.from_weights(
        RASAEConfig(d=tokens.shape[1], n_concepts=config.n_concepts, k=config.k), weights
    )
    return reconstruction_quality(sae, held_out)
