"""The recipe of a training: the paper's, unless told otherwise."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from blindspots_hub import paper
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.rasae_config import Sparsity
from blindspots_hub.errors import BlindspotsError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]

_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


@dataclass(frozen=True)
class TrainConfig:
    """The recipe; the defaults are the paper's (appendix B).

    steps: optimiser steps; None = `epochs` passes over the tokens. batch: tokens a step, of all
    processes together. n_centroids: the paper's n', points that atoms are mixed from; a small set
    of tokens gives fewer. precision: what the large products are computed in until the last
    `full_precision_share` of the steps, which are fp32 (the paper: 10 of 50 epochs); "auto" is the
    paper's fp16 on CUDA, and fp32 elsewhere. threshold_memory: how much of the running batch-top-k
    threshold a step keeps (at 0.99 it still lagged behind training after 400 steps, and inference
    kept half the codes). backbone, its revision and fingerprint, its token_layout and origin are
    recorded in the model.

    Raises `BlindspotsError` for values that cannot be.
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
    precision: Precision = "auto"
    full_precision_share: float = 0.2
    layer_norm_eps: float = 1e-5
    threshold_memory: float = 0.9
    kmeans_steps: int = 100
    device: str = "cpu"
    backbone: str = paper.BACKBONE
    backbone_revision: str | None = None
    backbone_fingerprint: str | None = None
    token_layout: TokenLayout | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if self.sparsity not in get_args(Sparsity):
            raise BlindspotsError(f"Sparsity must be topk or batch_topk, not {self.sparsity!r}.")
        if self.precision not in get_args(Precision):
            raise BlindspotsError(
                f"Precision must be {', '.join(get_args(Precision))}, not {self.precision!r}."
            )
        if not 1 <= self.k <= self.n_concepts:
            raise BlindspotsError(
                f"A token cannot keep k = {self.k} of {self.n_concepts} concepts: choose k between "
                "1 and the number of concepts."
            )
        for name in ("batch", "epochs", "n_centroids", "kmeans_steps"):
            if getattr(self, name) < 1:
                raise BlindspotsError(
                    f"Training needs {name} of at least 1, not {getattr(self, name)}."
                )
        if self.steps is not None and self.steps < 1:
            raise BlindspotsError(f"Training needs at least 1 step, not {self.steps}.")
        for name in ("relaxation", "peak_rate", "final_rate", "weight_decay", "auxiliary_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise BlindspotsError(
                    f"Training needs {name} of at least 0, not {getattr(self, name)}."
                )
        for name in ("warmup_share", "full_precision_share", "threshold_memory"):
            if not 0 <= getattr(self, name) <= 1:
                raise BlindspotsError(
                    f"Training needs {name} between 0 and 1, not {getattr(self, name)}."
                )

    def total_steps(self, n_tokens: int) -> int:
        """Optimiser steps on `n_tokens` tokens."""
        return self.steps or max(1, math.ceil(self.epochs * n_tokens / self.batch))

    def dtype(self, step: int, steps: int) -> torch.dtype:
        """What the large products of `step` (from 0) of `steps` are computed in."""
        import torch  # not above: the command line reads the recipe's defaults, and is quick

        last = step >= steps - round(self.full_precision_share * steps)
        dtype: torch.dtype = getattr(torch, _DTYPES["fp32" if last else self._precision])
        return dtype

    @property
    def _precision(self) -> str:
        if self.precision == "auto":
            return "fp16" if self.device.startswith("cuda") else "fp32"
        return self.precision

    def to_json(self) -> dict[str, Any]:
        """What the weights depend on: all but the device, in JSON's types."""
        value = asdict(self) | {"precision": self._precision, "betas": list(self.betas)}
        del value["device"]
        return value
