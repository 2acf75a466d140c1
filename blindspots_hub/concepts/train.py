"""Training a RA-SAE on tokens (METHOD section 2; the paper's appendix B)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from blindspots_hub import paper
from blindspots_hub.concepts.dictionary import ArchetypalDictionary
from blindspots_hub.concepts.kmeans import token_centroids
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.rasae_config import RASAEConfig, Sparsity
from blindspots_hub.concepts.schedule import learning_rate
from blindspots_hub.concepts.sparse_encoder import Kept, SparseEncoder
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work

_REPORT_EVERY = 10
_DEAD_AFTER = 100
"""A concept that fired in none of this many last steps is counted as dead while training."""


@dataclass(frozen=True)
class TrainConfig:
    """The recipe; the defaults are the paper's (appendix B), all in fp32.

    steps: optimiser steps; None = `epochs` passes over the tokens. batch: tokens a step.
    n_centroids: the paper's n', points that atoms are mixed from. threshold_memory: how much of the
    running batch-top-k threshold a step keeps (at 0.99 it still lagged behind training after 400
    steps, and inference kept half the codes). backbone, its revision and fingerprint, and origin
    are recorded in the model.
    """

    n_concepts: int = paper.CONCEPTS
    sparsity: Sparsity = "topk"
    k: int = paper.TOP_K
    n_centroids: int = paper.CONCEPTS
    relaxation: float = paper.RELAXATION
    epochs: int = 50
    steps: int | None = None
    batch: int = 4096
    peak_rate: float = 5e-4
    final_rate: float = 1e-6
    warmup_share: float = 0.05
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-5
    auxiliary_weight: float = 1e-5
    layer_norm_eps: float = 1e-5
    threshold_memory: float = 0.9
    kmeans_steps: int = 100
    device: str = "cpu"
    backbone: str = paper.BACKBONE
    backbone_revision: str | None = None
    backbone_fingerprint: str | None = None
    origin: str = ""

    def total_steps(self, n_tokens: int) -> int:
        """Optimiser steps on `n_tokens` tokens."""
        return self.steps or max(1, math.ceil(self.epochs * n_tokens / self.batch))


def train_sae(
    tokens: NDArray[np.floating] | torch.Tensor, config: TrainConfig, seed: int
) -> Work[RASAE]:
    """Train a RA-SAE on `tokens` (M, d), of any float type; an array may be a memory map.

    Yields an `Event` every few steps whose detail holds `loss`, `r2` (of the batch), `l0` (codes a
    token) and `dead_share`; returns the model, fused, in eval mode, on the CPU. On the CPU the same
    seed gives the same model. The loss is the mean squared error minus `auxiliary_weight` times the
    mean of the codes before ReLU of concepts that no token of the batch kept: it pulls silent
    concepts back towards firing. Raises `BlindspotsError` for too few or unusable tokens.
    """
    tokens = tokens.detach().cpu().numpy() if isinstance(tokens, torch.Tensor) else tokens
    _usable(tokens, config)
    centroids = yield from token_centroids(
        tokens, config.n_centroids, config.kmeans_steps, max(config.batch, 1024), seed
    )
    generator = torch.Generator().manual_seed(seed)
    encoder = SparseEncoder(
        tokens.shape[1],
        config.n_concepts,
        config.k,
        config.sparsity,
        config.layer_norm_eps,
        generator,
    ).to(config.device)
    dictionary = ArchetypalDictionary(
        torch.from_numpy(centroids), config.n_concepts, config.relaxation, generator
    ).to(config.device)
    optimiser = torch.optim.AdamW(
        [*encoder.parameters(), *dictionary.parameters()],
        betas=config.betas,
        weight_decay=config.weight_decay,
        fused=True,
    )
    steps = config.total_steps(len(tokens))
    threshold: float | None = None
    last_fired = torch.zeros(config.n_concepts, dtype=torch.int64, device=config.device)
    for step, rows in enumerate(_batches(len(tokens), config.batch, steps, seed)):
        x = torch.from_numpy(np.asarray(tokens[rows], np.float32)).to(config.device)
        if step == 0:
            _match_scale(x, encoder, dictionary)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(
                step, steps, config.warmup_share, config.peak_rate, config.final_rate
            )
        kept = encoder(x)
        error = functional.mse_loss(_decode(kept, dictionary.fuse()), x)
        loss = error - config.auxiliary_weight * kept.dead_mean
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if config.sparsity == "batch_topk" and len(kept.values):
            smallest = float(kept.values.detach().min())
            memory = config.threshold_memory if threshold is not None else 0.0
            threshold = memory * (threshold or 0.0) + (1 - memory) * smallest
        last_fired[~kept.dead] = step
        if step % _REPORT_EVERY == 0 or step == steps - 1:
            spread = float((x - x.mean(0)).square().mean())
            detail = {
                "loss": float(loss.detach()),
                "r2": 1 - float(error.detach()) / spread,
                "l0": len(kept.values) / len(x),
                "dead_share": float((last_fired < step - _DEAD_AFTER).float().mean()),
            }
            yield Event("train the RA-SAE", step + 1, steps, detail)
    return _finished(encoder, dictionary, threshold, config)


@torch.no_grad()
def evaluate_sae(
    sae: RASAE, tokens: NDArray[np.floating] | torch.Tensor, chunk: int = 4096
) -> dict[str, float]:
    """How well `sae` reconstructs `tokens` (M, d), and with how many codes.

    `r2`: 1 − squared error over squared distance to the tokens' mean; `l0`: codes a token;
    `dead_share`: share of the concepts that fire on none of the tokens. Summed in float64.
    """
    error = codes = 0.0
    total = torch.zeros(sae.config.d, dtype=torch.float64)
    squares = 0.0
    fires = np.zeros(sae.config.n_concepts, dtype=np.int64)
    for start in range(0, len(tokens), chunk):
        x = torch.as_tensor(tokens[start : start + chunk]).to("cpu", torch.float32)
        z = sae.encode(x)
        error += float((sae.decode(z).cpu() - x).double().square().sum())
        total += x.double().sum(0)
        squares += float(x.double().square().sum())
        codes += z.nnz
        fires += np.bincount(z.concepts, minlength=sae.config.n_concepts)
    spread = squares - float(total.square().sum()) / len(tokens)
    return {
        "r2": 1 - error / spread,
        "l0": codes / len(tokens),
        "dead_share": float((fires == 0).mean()),
    }


def _usable(tokens: NDArray[np.floating], config: TrainConfig) -> None:
    if tokens.ndim != 2 or not len(tokens):
        raise BlindspotsError(
            f"Training needs tokens of shape (tokens, width), not {tokens.shape}: flatten images."
        )
    if not 1 <= config.k <= config.n_concepts:
        raise BlindspotsError(
            f"A token cannot keep k = {config.k} of {config.n_concepts} concepts: choose k between "
            "1 and the number of concepts."
        )
    for start in range(0, len(tokens), 1 << 16):
        if not np.isfinite(tokens[start : start + (1 << 16)]).all():
            raise BlindspotsError(
                f"Training tokens from row {start} on hold NaN or infinity: check the images and "
                "the backbone that they come from."
            )


def _batches(n_tokens: int, batch: int, steps: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Row numbers of `steps` batches: each pass over the tokens in a new random order.

    Tokens that fill no whole batch at the end of a pass begin the next one's first batch.
    """
    rng = np.random.default_rng(seed)
    waiting = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = np.concatenate([waiting, rng.permutation(n_tokens)])
        rows, waiting = waiting[:batch], waiting[batch:]
        yield np.sort(rows)  # ascending, so that a memory map is read forwards


def _decode(kept: Kept, atoms: torch.Tensor) -> torch.Tensor:
    return functional.embedding_bag(
        kept.concepts, atoms, kept.offsets, mode="sum", per_sample_weights=kept.values
    )


@torch.no_grad()
def _match_scale(x: torch.Tensor, encoder: SparseEncoder, dictionary: ArchetypalDictionary) -> None:
    """Give the first reconstructions the tokens' scale; otherwise R² starts far below zero."""
    first = _decode(encoder(x), dictionary.fuse())
    dictionary.rescale(float(x.norm() / first.norm().clamp_min(1e-12)))


@torch.no_grad()
def _finished(
    encoder: SparseEncoder,
    dictionary: ArchetypalDictionary,
    threshold: float | None,
    config: TrainConfig,
) -> RASAE:
    if config.sparsity == "batch_topk" and threshold is None:
        raise BlindspotsError(
            "Training kept no code at all, so there is no threshold: check the tokens, and train "
            "for more steps."
        )
    weights = {
        "encoder.weight": encoder.weight,
        "encoder.bias": encoder.bias,
        "norm.weight": encoder.gain,
        "norm.bias": encoder.shift,
        "dictionary": dictionary.fuse(),
    }
    return RASAE.from_weights(
        RASAEConfig(
            d=encoder.weight.shape[1],
            n_concepts=config.n_concepts,
            sparsity=config.sparsity,
            k=config.k,
            threshold=threshold,
            layer_norm_eps=config.layer_norm_eps,
            relaxation=config.relaxation,
            backbone=config.backbone,
            backbone_revision=config.backbone_revision,
            backbone_fingerprint=config.backbone_fingerprint,
            origin=config.origin,
        ),
        {name: tensor.detach().cpu() for name, tensor in weights.items()},
    )
