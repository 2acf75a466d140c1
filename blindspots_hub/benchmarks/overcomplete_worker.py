"""overcomplete's side of the benchmark: a script for the environment that holds overcomplete.

It reads one JSON order a line from standard input and answers each with one line; arrays travel as
.npy files. overcomplete's own `RATopKSAE` and `train_sae` run unchanged. Only its package file is
not executed, for that imports image models and plotting, which would have to be installed too.

The orders fix for both sides: tokens, candidate points, k, relaxation, batch, rates, AdamW with its
β and weight decay (fused, as ours), Xavier initialisation, and a multiplier under which the first
reconstructions have the tokens' scale. Gradient clipping and monitoring are off, in its favour.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import os
import sys
import time
import types
from typing import Any

import numpy as np
import torch


def _package_without_its_extras() -> None:
    spec = importlib.util.find_spec("overcomplete")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("overcomplete is not installed in this environment")
    package = types.ModuleType("overcomplete")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["overcomplete"] = package


class Trainer:
    """A `RATopKSAE` with its optimiser, trained by overcomplete's `train_sae`."""

    def __init__(self, order: dict[str, Any]) -> None:
        _package_without_its_extras()
        sae = importlib.import_module("overcomplete.sae")
        torch.set_num_threads(order["threads"])
        torch.manual_seed(order["seed"])
        self.train_sae, self.seed = sae.train_sae, order["seed"]
        self.tokens = np.load(order["tokens"], mmap_mode="r")
        points = torch.from_numpy(np.load(order["centroids"]))
        self.model = sae.RATopKSAE(
            points.shape[1],
            order["n_concepts"],
            points,
            top_k=order["k"],
            delta=order["relaxation"],
            encoder_module="mlp_ln_1",
        )
        linear, _ = self.model.encoder.final_block
        torch.nn.init.xavier_uniform_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
        with torch.no_grad():
            # With more atoms than points overcomplete would begin with zero atoms that stay so.
            self.model.dictionary.W.zero_()
            atoms = torch.arange(order["n_concepts"])
            self.model.dictionary.W[atoms, atoms % len(points)] = 1
            first = self._batch(np.arange(min(order["batch"], len(self.tokens))))
            scale = first.norm() / self.model(first)[2].norm().clamp_min(1e-12)
            self.model.dictionary.multiplier += math.log(float(scale))
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            lr=order["rate"],
            betas=tuple(order["betas"]),
            weight_decay=order["weight_decay"],
            fused=True,
        )
        self.batch, self.auxiliary_weight = order["batch"], order["auxiliary_weight"]

    def _batch(self, rows: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(self.tokens[np.sort(rows)], np.float32))

    def _loss(
        self,
        x: torch.Tensor,
        x_hat: torch.Tensor,
        pre_codes: torch.Tensor,
        codes: torch.Tensor,
        dictionary: torch.Tensor,
    ) -> torch.Tensor:
        """The criterion of overcomplete's README, with the paper's weight of the second term."""
        loss = (x - x_hat).square().mean()
        if self.auxiliary_weight:
            is_dead = ((codes > 0).sum(dim=0) == 0).float().detach()
            loss = loss - (pre_codes * is_dead[None, :]).mean() * self.auxiliary_weight
        return loss

    def train(self, batches: Any, rates: Any = None) -> float:
        """Train on `batches`; seconds that `train_sae` took."""
        started = time.perf_counter()
        self.train_sae(
            self.model,
            batches,
            self._loss,
            self.optimiser,
            scheduler=rates,
            nb_epochs=1,
            clip_grad=0,
            monitoring=0,
        )
        return time.perf_counter() - started

    def step(self, start: int) -> dict[str, Any]:
        """One step on the batch that begins at row `start`."""
        return {"seconds": self.train([self._batch(np.arange(start, start + self.batch))])}

    def whole(self, rates: list[float], out: str) -> dict[str, Any]:
        """A training with one rate a step; writes the weights for inference to `out` (.npz)."""
        schedule = _Rates(self.optimiser, rates)
        seconds = self.train(self._shuffled(len(rates)), schedule)
        self.model.eval()
        linear, norm = self.model.encoder.final_block
        weights = {
            "encoder.weight": linear.weight,
            "encoder.bias": linear.bias,
            "norm.weight": norm.weight,
            "norm.bias": norm.bias,
            "dictionary": self.model.get_dictionary(),
        }
        np.savez(out, **{name: tensor.detach().numpy() for name, tensor in weights.items()})
        return {"seconds": seconds}

    def _shuffled(self, steps: int) -> Any:
        """`steps` batches: each pass over the tokens in a new random order."""
        rng = np.random.default_rng(self.seed)
        waiting = np.empty(0, np.int64)
        for _ in range(steps):
            while len(waiting) < self.batch:
                waiting = np.concatenate([waiting, rng.permutation(len(self.tokens))])
            rows, waiting = waiting[: self.batch], waiting[self.batch :]
            yield self._batch(rows)


class _Rates:
    """A schedule in the form that `train_sae` takes: the first rate at once, one more a step."""

    def __init__(self, optimiser: torch.optim.Optimizer, rates: list[float]) -> None:
        self.optimiser, self.rates = optimiser, iter([*rates, rates[-1]])
        self.step()

    def step(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = next(self.rates)


def main() -> None:
    """Obey orders until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints does not mix with the answers
    trainer: Trainer | None = None
    for line in sys.stdin:
        order = json.loads(line)
        do = order.pop("do")
        if do == "build":
            trainer = Trainer(order)
            answer: dict[str, Any] = {}
        elif trainer is None:
            raise ValueError(f"{do} before build")
        else:
            answer = trainer.step(**order) if do == "step" else trainer.whole(**order)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
