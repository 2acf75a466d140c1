"""Where the upper bounds of codes reach a bound: fixed, or rising to a token's k-th largest code.

A product (T, width) of some of the concepts holds an upper bound of each code, as the integers of
a floating type's bits, which are ordered as the positive numbers are. Groups of concepts that lie
side by side are looked at by the largest of them first, and most end there.

The k-th largest: the largest upper bound of a group, less twice the group's largest margin, is a
lower bound of that group's largest code, so the k-th largest of those is one of the k-th largest
code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

GROUP = 128
"""Most concepts a group; a product's width is a multiple of it."""
BELOW = 1 - 2.0**-20
"""Of a bound what is compared, because codes are compared after rounding to float32."""

_MARGINS = 2 + 2.0**-10
"""Margins between an upper bound and a lower one, and some for rounding."""


@dataclass(frozen=True)
class Margins:
    """By how much an upper bound may exceed its code: `tokens` (T, 2) times `groups` (2, groups).

    group: concepts a group; of_bound: what is left of an upper bound before its rounding; k: how
    many of a token's codes are looked for.
    """

    tokens: torch.Tensor
    groups: torch.Tensor
    group: int
    of_bound: float
    k: int


class Bounds:
    """What the upper bounds of T tokens' codes must reach: `bits` (T,), as integers."""

    group = GROUP

    def __init__(self, bits: torch.Tensor) -> None:
        self.bits = bits

    def reached(self, product: torch.Tensor) -> torch.Tensor:
        """Flat places of `product` that reach their token's bound, ascending."""
        groups = product.unflatten(1, (-1, self.group))
        maxima = groups.amax(2)
        self._learn(maxima)
        return reached(groups, maxima, self.bits)

    def _learn(self, maxima: torch.Tensor) -> None:
        """See the largest upper bounds (T, groups) of the groups that are searched next."""


class RisingBounds(Bounds):
    """Bounds that rise with each product that is searched, in the order of the concepts.

    bits: where they start; bits_of: the bits (T,) of lower bounds (T,) of the k-th largest code.
    """

    def __init__(
        self,
        bits: torch.Tensor,
        margins: Margins,
        bits_of: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        super().__init__(bits)
        self.group = margins.group
        self._margins, self._bits_of = margins, bits_of
        self._largest = margins.tokens.new_empty(len(bits), 0)
        self._maxima: list[torch.Tensor] = []
        self._products = self._seen = 0

    def _learn(self, maxima: torch.Tensor) -> None:
        self._maxima.append(maxima)
        self._products += 1
        self._seen += maxima.shape[1]
        # The bounds rise whenever the number of products has doubled, and with the last.
        if self._products.bit_count() == 1 or self._seen == self._margins.groups.shape[1]:
            self._raise(torch.cat(self._maxima, 1))
            self._maxima.clear()

    def _raise(self, maxima: torch.Tensor) -> None:
        k = self._margins.k
        lower = lower_bounds(self._margins, maxima, self._seen - maxima.shape[1])
        lower = torch.cat([self._largest, lower], 1)
        self._largest = lower.topk(min(k, lower.shape[1]), sorted=False).values
        if self._largest.shape[1] == k:
            bounds = self._largest.amin(1).nan_to_num(nan=0.0, posinf=0.0)
            self.bits = self._bits_of(bounds)


def lower_bounds(margins: Margins, maxima: torch.Tensor, first: int) -> torch.Tensor:
    """Of the largest code of each group from number `first` on: (T, groups) float32."""
    p, r = margins.tokens.T[:, :, None]
    q, s = margins.groups[:, first : first + maxima.shape[1]]
    below = (p * q).add_(r * s).mul_(_MARGINS)
    dtype = torch.bfloat16 if maxima.dtype == torch.int16 else torch.float32
    return maxima.view(dtype).float().mul_(margins.of_bound).sub_(below)


def reached(groups: torch.Tensor, maxima: torch.Tensor, bits: torch.Tensor) -> torch.Tensor:
    """Flat places, ascending, where `groups` (T, groups, size) reach the bits (T,) of the tokens.

    maxima (T, groups): the largest of each group.
    """
    if groups.device.type != "cpu":
        return reached_by_tensors(groups, maxima, bits)
    from blindspots_hub.concepts.encoder.loops import reaching

    return torch.from_numpy(reaching(groups.numpy(), maxima.numpy(), bits.numpy()))


def reached_by_tensors(
    groups: torch.Tensor, maxima: torch.Tensor, bits: torch.Tensor
) -> torch.Tensor:
    """`reached` as a GPU finds it."""
    size = groups.shape[2]
    near = (maxima >= bits[:, None]).view(-1).nonzero()[:, 0]
    own = bits[near // groups.shape[1]]
    members = (groups.view(-1, size)[near] >= own[:, None]).view(-1).nonzero()[:, 0]
    return near[members // size] * size + members % size
