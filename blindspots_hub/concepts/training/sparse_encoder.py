"""The encoder while it is trained: dense forward in pieces, sparse backward by hand.

Only a handful of a token's n codes stay, so the gradient of the codes is sparse, and through
Linear and LayerNorm it becomes a sparse part and a few rank-one terms: no dense (B, n) gradient and
no second (B, n, d) product is ever formed. The dense codes exist a piece at a time, small enough to
stay near the processor. A test holds every gradient against autograd.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from blindspots_hub.concepts.encoder.largest import LargestOfAll, largest_of_rows
from blindspots_hub.concepts.encoder.low_precision import product
from blindspots_hub.concepts.rasae_config import Sparsity
from blindspots_hub.concepts.training.batch_codes import BatchCodes, SparseBatch
from blindspots_hub.utils.cores import on_all_cores
from blindspots_hub.utils.distributed import ALONE, Processes

_PIECE = {"cpu": 64 << 20}
"""Bytes of dense codes at a time; on the CPU about what its cache holds."""

_LARGE_PIECE = 1 << 30
"""The same on devices that want large products."""

_IN_ONE_PASS = 4
"""How many times as many where one pass reads them: products of more tokens are the faster ones."""

_REFINED = 1 << 14
"""Codes whose values are computed again at a time."""


def compiled_for(rows: torch.Tensor) -> bool:
    """Whether rows of this type, on this device, are gone through by compiled loops."""
    return rows.dtype == torch.float32 and rows.device.type == "cpu"


class SparseEncoder(nn.Module):
    """Linear d → n, LayerNorm over n, and the `k` largest codes: of a token, or k·B of a batch.

    affine (n, d + 1): the Linear's weight, and its bias as the last column; gain, shift (n,): the
    LayerNorm's weight and bias. `set_gradients` sets their `grad`; autograd is not used.
    """

    def __init__(
        self,
        d: int,
        n_concepts: int,
        k: int,
        sparsity: Sparsity,
        eps: float,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.k, self.sparsity, self.eps = k, sparsity, eps
        weight = nn.init.xavier_uniform_(torch.empty(n_concepts, d), generator=generator)
        self.affine = nn.Parameter(functional.pad(weight, (0, 1)))
        self.gain = nn.Parameter(torch.ones(n_concepts))
        self.shift = nn.Parameter(torch.zeros(n_concepts))
        self._buffers_of: dict[tuple[str, torch.dtype], torch.Tensor] = {}

    @property
    def weight(self) -> torch.Tensor:
        """The Linear's weight, (n, d)."""
        return self.affine.detach()[:, :-1]

    @property
    def bias(self) -> torch.Tensor:
        """The Linear's bias, (n,)."""
        return self.affine.detach()[:, -1]

    @torch.no_grad()
    def encode(
        self,
        tokens: torch.Tensor,
        dtype: torch.dtype | None = None,
        processes: Processes = ALONE,
    ) -> BatchCodes:
        """Encode this process's `tokens` (B, d); the large product is computed in `dtype`.

        What stays is decided by what `dtype` gives; the values have the parameters' precision in
        any case. With batch_topk the k·B largest of all processes' B tokens stay.
        """
        dtype = dtype or self.affine.dtype
        extended = functional.pad(tokens, (0, 1), value=1.0)
        inverse_std = torch.empty_like(extended[:, 0])
        centred = self._centred(dtype)
        largest = LargestOfAll(self.k * processes.total(len(tokens)))
        codes, done = None, 0
        for hidden, std in self._pieces(extended, inverse_std, centred):
            found = self._selected(hidden, std, largest)
            found = replace(found, tokens=found.tokens + done)
            codes = found if codes is None else codes.and_(found)
            done += len(hidden)
            if self.sparsity == "batch_topk":
                largest.raise_by(codes.values)
                codes = codes.where(codes.values >= largest.bound)
        assert codes is not None, "a batch holds at least one token"
        if self.sparsity == "batch_topk" and processes.count > 1:
            highest = codes.values.topk(min(largest.count, len(codes.values))).values
            largest.raise_by(processes.gathered(highest, largest.count))
            codes = codes.where(codes.values >= largest.bound)
        kept = BatchCodes(extended, inverse_std, centred, codes)
        return kept if dtype == self.affine.dtype else self._refined(kept)

    def _selected(
        self, hidden: torch.Tensor, std: torch.Tensor, largest: LargestOfAll
    ) -> SparseBatch:
        """The codes of some tokens, by token, that may stay, from their products with W̃.

        `hidden` (rows, n) is overwritten; `std` (rows,), 1/σ, is set. With topk they do stay; with
        batch_topk what `largest` learns from later tokens decides.
        """
        if self._in_one_pass(hidden):
            return self._largest_on_cpu(hidden, std)
        n, dtype = hidden.shape[1], hidden.dtype
        length = torch.linalg.vector_norm(hidden, dim=1, dtype=std.dtype)
        torch.rsqrt(length.square() / n + self.eps, out=std)
        normed = hidden.mul_(std[:, None])
        gain, shift = self.gain.detach().to(dtype), self.shift.detach().to(dtype)
        pre = torch.addcmul(shift, normed, gain, out=self._buffer("pre", hidden.shape, dtype))
        if self.sparsity == "topk":
            rows, concepts = largest_of_rows(pre, self.k)
        else:
            rows, concepts = largest.candidates(pre)
        return SparseBatch(rows, concepts, pre[rows, concepts], normed[rows, concepts])

    def _in_one_pass(self, like: torch.Tensor) -> bool:
        """Whether codes of the type and on the device of `like` are selected by a compiled loop."""
        return self.sparsity == "topk" and compiled_for(like)

    def _largest_on_cpu(self, hidden: torch.Tensor, std: torch.Tensor) -> SparseBatch:
        """`_selected` with topk, in one pass over `hidden`."""
        from blindspots_hub.concepts.training.loops import largest_codes

        concepts = torch.empty(len(hidden), self.k, dtype=torch.int64)
        values, normed = torch.empty(concepts.shape), torch.empty(concepts.shape)
        found = (one.numpy() for one in (std, concepts, values, normed))
        inputs = hidden.numpy(), self.gain.detach().numpy(), self.shift.detach().numpy(), self.eps
        parts = *inputs, *found
        on_all_cores(lambda first, last: largest_codes(first, last, *parts), len(hidden))
        there = concepts >= 0
        return SparseBatch(there.nonzero()[:, 0], concepts[there], values[there], normed[there])

    @torch.no_grad()
    def set_gradients(
        self,
        kept: BatchCodes,
        grad_values: torch.Tensor,
        dead: torch.Tensor,
        grad_dead: float,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Set the gradients of this process's share of a loss on what `encode` gave.

        `grad_values` (m,): of the kept codes; `dead` (n,) bool: concepts that kept none, whose
        every code before ReLU has the gradient `grad_dead`. `dtype`: of the one large product.
        Returns Σ of the dead concepts' codes before ReLU, (), which that gradient belongs to.

        The gradient at (token t, concept c) is sparse, from the kept codes, plus `column`_c. With
        h̃ = W̃ x + b̃, r = 1/σ and y = r h̃, LayerNorm gives ∂h = r (∂y − mean ∂y − y mean(∂y y)),
        each mean over the concepts.
        """
        codes, x, r = kept.codes, kept.extended, kept.inverse_std
        dtype = dtype or x.dtype
        n, gain = len(self.affine), self.gain.detach()
        centred = kept.centred if kept.centred.dtype == x.dtype else self._centred(x.dtype)
        column = dead.to(x.dtype) * grad_dead
        column_y = column * gain
        sparse_y = grad_values * gain[codes.concepts]
        mean_y = (kept.per_token(sparse_y) + column_y.sum()) / n
        column_dot = r * (x @ (centred.T @ column_y))
        mean_yy = (kept.per_token(sparse_y * codes.normed) + column_dot) / n

        sum_rx = r @ x  # Σ_t r x: of the constant columns, and of the gain
        sum_y = centred @ sum_rx
        moment = x.T @ ((r.square() * mean_yy)[:, None] * x)
        constant = -(r * mean_y) @ x
        grad = gradient(self.affine)
        if dtype == x.dtype:
            torch.addmm(constant, centred, moment, alpha=-1, out=grad)
        else:
            torch.sub(constant, product(centred, moment, dtype), out=grad)
        grad.addr_(column_y, sum_rx)
        stayed = torch.unique(codes.concepts)
        grad.index_add_(0, stayed, kept.per_concept(stayed, sparse_y * r[codes.tokens], x))

        torch.mul(column, sum_y, out=gradient(self.gain))
        gradient(self.gain).index_add_(0, codes.concepts, grad_values * codes.normed)
        torch.mul(column, len(x), out=gradient(self.shift))
        gradient(self.shift).index_add_(0, codes.concepts, grad_values)
        return (dead * (gain * sum_y + self.shift.detach() * len(x))).sum()

    def _pieces(
        self, extended: torch.Tensor, inverse_std: torch.Tensor, centred: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """W̃ x + b̃ (rows, n) of a piece of the tokens after the other, and its part of inverse_std.

        Valid until the next piece is asked for.
        """
        n, device = len(centred), extended.device
        size = _PIECE.get(device.type, _LARGE_PIECE)
        size *= _IN_ONE_PASS if self._in_one_pass(centred) else 1
        rows = min(max(1, size // (n * centred.element_size())), len(extended))
        products = self._buffer("product", (rows, n), centred.dtype)
        for piece, std in zip(extended.split(rows), inverse_std.split(rows), strict=True):
            # With centred rows the product is centred over the concepts, as LayerNorm asks.
            yield torch.mm(piece.to(centred.dtype), centred.T, out=products[: len(piece)]), std

    def _refined(self, kept: BatchCodes) -> BatchCodes:
        """`kept` with values of the parameters' precision; what is not positive any more goes."""
        centre = self.affine.detach().mean(0)
        normed = torch.cat(
            [
                ((self.affine.detach()[concepts] - centre) * kept.extended[tokens]).sum(1)
                for tokens, concepts in zip(
                    kept.codes.tokens.split(_REFINED),
                    kept.codes.concepts.split(_REFINED),
                    strict=True,
                )
            ]
        )
        tokens, concepts = kept.codes.tokens, kept.codes.concepts
        normed *= kept.inverse_std[tokens]
        values = normed * self.gain.detach()[concepts] + self.shift.detach()[concepts]
        codes = SparseBatch(tokens, concepts, values, normed)
        return replace(kept, codes=codes.where(values > 0))

    def _centred(self, dtype: torch.dtype) -> torch.Tensor:
        """`affine` minus its mean over the concepts; valid until the next call."""
        affine = self.affine.detach()
        return torch.sub(affine, affine.mean(0), out=self._buffer("centred", affine.shape, dtype))

    def _buffer(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """Memory that every step uses again: to get it anew costs as much as to fill it."""
        found = self._buffers_of.get((name, dtype))
        if found is None or found.shape != tuple(shape):
            found = torch.empty(*shape, dtype=dtype, device=self.affine.device)
            self._buffers_of[name, dtype] = found
        return found


def gradient(parameter: nn.Parameter) -> torch.Tensor:
    """The parameter's `grad`, made where there is none yet; the same memory in every step."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad
