"""One step of training: from a batch of tokens to the gradients of all parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from blindspots_hub.concepts.training.dictionary import ArchetypalDictionary
from blindspots_hub.concepts.training.sparse_encoder import SparseEncoder, gradient
from blindspots_hub.utils.distributed import ALONE, Processes


@dataclass(frozen=True)
class Outcome:
    """What a step saw, over all processes.

    loss, error (the mean squared error): float tensors (); fired (n,) bool: concepts that kept a
    code; codes: how many codes stayed; smallest: the least of them, inf where none did.
    """

    loss: torch.Tensor
    error: torch.Tensor
    fired: torch.Tensor
    codes: torch.Tensor
    smallest: torch.Tensor


def set_gradients(
    tokens: torch.Tensor,
    encoder: SparseEncoder,
    dictionary: ArchetypalDictionary,
    auxiliary_weight: float,
    dtype: torch.dtype | None = None,
    processes: Processes = ALONE,
) -> Outcome:
    """Set the gradient of every parameter for `tokens` (B, d), this process's of the batch.

    Projects the rows of A and Λ that the batch uses, in place, before it uses them.

    The loss is the mean squared error minus `auxiliary_weight` times the mean of the codes before
    ReLU of concepts that no token of the batch kept: it pulls silent concepts back towards firing.
    Decoding gathers the atoms that are used; of the dictionary only those are made. Processes
    exchange the gradients of atoms and encoder, (n, d) each, never that of A.
    """
    n, d = len(encoder.affine), tokens.shape[1]
    kept = encoder.encode(tokens, dtype, processes)
    batch = processes.total(len(tokens))
    fired = torch.zeros(n, dtype=torch.bool, device=tokens.device)
    fired[kept.codes.concepts] = True
    fired = processes.any(fired)
    used = fired.nonzero()[:, 0]
    atoms = dictionary.project(used, dtype)

    values = kept.codes.values.requires_grad_()
    decoded = kept.decode(atoms.values, fired.cumsum(0) - 1)
    missing = decoded.detach() - tokens
    error = missing.square().sum() / (batch * d)
    grad_decoded = missing.mul_(2 / (batch * d))
    (grad_values,) = torch.autograd.grad(decoded, values, grad_decoded)
    values = values.detach()

    grad_atoms = kept.per_concept(used, values, grad_decoded)
    grad_dead = -auxiliary_weight / (batch * n)
    dead_sum = encoder.set_gradients(kept, grad_values, ~fired, grad_dead, dtype)
    loss = error + grad_dead * dead_sum
    codes = torch.tensor(len(values), device=tokens.device)
    smallest = torch.cat([values, values.new_full((1,), torch.inf)]).min()
    processes.sum_(grad_atoms, *(gradient(p) for p in encoder.parameters()), loss, error, codes)
    dictionary.set_gradients(atoms, grad_atoms, dtype)
    return Outcome(loss, error, fired, codes, processes.least(smallest))


@torch.no_grad()
def match_scale(
    tokens: torch.Tensor,
    encoder: SparseEncoder,
    dictionary: ArchetypalDictionary,
    processes: Processes = ALONE,
) -> None:
    """Give the first reconstructions the tokens' scale; otherwise R² starts far below zero."""
    kept = encoder.encode(tokens, processes=processes)
    every = torch.arange(len(encoder.affine), device=tokens.device)
    first = kept.decode(dictionary.fuse(), every)
    squares = torch.stack([tokens.square().sum(), first.square().sum()])
    processes.sum_(squares)
    dictionary.rescale(float((squares[0] / squares[1].clamp_min(1e-24)).sqrt()))
