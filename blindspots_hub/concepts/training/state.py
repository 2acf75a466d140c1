"""All that changes while a RA-SAE is trained, and the model that comes of it."""

from __future__ import annotations

from typing import Any

import torch

from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.rasae_config import RASAEConfig
from blindspots_hub.concepts.training.checkpoint import Found
from blindspots_hub.concepts.training.config import TrainConfig
from blindspots_hub.concepts.training.dictionary import ArchetypalDictionary
from blindspots_hub.concepts.training.sparse_encoder import SparseEncoder
from blindspots_hub.concepts.training.step import Outcome
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.distributed import Processes

_SAMPLE = 1024
"""Atoms that stability is measured on at most."""


class TrainState:
    """Parameters, optimiser, and what the steps so far left behind.

    step: how many steps are done. threshold: the running mean of the smallest kept code (None
    before the first). last_fired (n,) int64: step in which a concept last kept a code.
    """

    def __init__(self, config: TrainConfig, centroids: torch.Tensor, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.encoder = SparseEncoder(
            centroids.shape[1],
            config.n_concepts,
            config.k,
            config.sparsity,
            config.layer_norm_eps,
            generator,
        ).to(config.device)
        self.dictionary = ArchetypalDictionary(
            centroids, config.n_concepts, config.relaxation, generator
        ).to(config.device)
        self.optimiser = torch.optim.AdamW(
            [*self.encoder.parameters(), *self.dictionary.parameters()],
            betas=config.betas,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.config = config
        self.step = 0
        self.threshold: float | None = None
        self.last_fired = torch.zeros(config.n_concepts, dtype=torch.int64, device=config.device)
        chosen = torch.randperm(config.n_concepts, generator=generator)[:_SAMPLE]
        self._sample = chosen.sort().values.to(config.device)
        self._atoms = self._sampled()

    def update(self, rate: float) -> None:
        """One step of the optimiser at the learning rate `rate`, along the gradients as set."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()

    def remember(self, seen: Outcome) -> None:
        """Note what the step that was just done kept; it is done then."""
        smallest = float(seen.smallest)
        if self.config.sparsity == "batch_topk" and smallest < float("inf"):
            memory = self.config.threshold_memory if self.threshold is not None else 0.0
            self.threshold = memory * (self.threshold or 0.0) + (1 - memory) * smallest
        self.last_fired[seen.fired] = self.step
        self.step += 1

    def stability(self) -> float:
        """Mean cosine of atoms to themselves when this was last asked (a fixed sample of them)."""
        before, self._atoms = self._atoms, self._sampled()
        return float(torch.nn.functional.cosine_similarity(before, self._atoms).mean())

    def _sampled(self) -> torch.Tensor:
        return self.dictionary.atoms(self._sample).values

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every tensor that the next step depends on, by name."""
        named = {f"encoder.{name}": p for name, p in self.encoder.named_parameters()}
        named |= {f"dictionary.{name}": p for name, p in self.dictionary.named_parameters()}
        moments = {
            f"{moment}.{name}": self.optimiser.state[parameter][moment]
            for name, parameter in named.items()
            for moment in ("exp_avg", "exp_avg_sq")
            if parameter in self.optimiser.state
        }
        own = {
            "dictionary.centroids": self.dictionary.centroids,
            "last_fired": self.last_fired,
            "atoms": self._atoms,
        }
        return {**named, **moments, **own}

    def facts(self) -> dict[str, Any]:
        """The rest that the next step depends on."""
        return {"step": self.step, "threshold": self.threshold}

    @torch.no_grad()
    def restore(self, found: Found) -> None:
        """Become the state whose `tensors` and `facts` were saved."""
        tensors, facts = found
        self.step, self.threshold = facts["step"], facts["threshold"]
        self._prepare_moments()
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])

    @torch.no_grad()
    def share(self, processes: Processes) -> None:
        """Become the first process's state."""
        device = self.last_fired.device
        threshold = -1.0 if self.threshold is None else self.threshold
        facts = torch.tensor([self.step, threshold], dtype=torch.float64, device=device)
        processes.same_(facts)
        self.step = int(facts[0])
        self.threshold = float(facts[1]) if facts[1] >= 0 else None
        self._prepare_moments()
        processes.same_(*(tensor.detach() for tensor in self.tensors().values()))

    def _prepare_moments(self) -> None:
        """Give the optimiser the moments that it would make in its first step."""
        steps = torch.tensor(float(self.step), device=self.last_fired.device)
        for group in self.optimiser.param_groups:
            for parameter in group["params"]:
                self.optimiser.state[parameter] = {
                    "step": steps.clone(),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def model(self) -> RASAE:
        """The model so far, fused, in eval mode, on the CPU."""
        config = self.config
        if config.sparsity == "batch_topk" and self.threshold is None:
            raise BlindspotsError(
                "Training kept no code at all, so there is no threshold: check the tokens, and "
                "train for more steps."
            )
        weights = {
            "encoder.weight": self.encoder.weight,
            "encoder.bias": self.encoder.bias,
            "norm.weight": self.encoder.gain,
            "norm.bias": self.encoder.shift,
            "dictionary": self.dictionary.fuse(),
        }
        return RASAE.from_weights(
            RASAEConfig(
                d=self.encoder.weight.shape[1],
                n_concepts=config.n_concepts,
                sparsity=config.sparsity,
                k=config.k,
                threshold=self.threshold if config.sparsity == "batch_topk" else None,
                layer_norm_eps=config.layer_norm_eps,
                relaxation=config.relaxation,
                backbone=config.backbone,
                backbone_revision=config.backbone_revision,
                backbone_fingerprint=config.backbone_fingerprint,
                origin=config.origin,
                token_layout=config.token_layout,
            ),
            {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        )
