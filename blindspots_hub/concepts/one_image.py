"""A backbone's network for one image at a time on a CPU: the same numbers, a tenth sooner."""

from __future__ import annotations

import copy
from typing import Any

import torch

from blindspots_hub.concepts.layout import TokenLayout


def for_one_image(network: torch.nn.Module, layout: TokenLayout, crop: int) -> torch.nn.Module:
    """`network` for a single image of `crop` × `crop` pixels; parameters are shared, not copied.

    What every image would need anew is done once: the position embeddings are interpolated to the
    grid of such an image, and where torch has MKL, weights are laid out for its kernels. Neither
    sees a later change of the parameters.
    """
    shared = {id(parameter): parameter for parameter in network.parameters()}
    ready = copy.deepcopy(network, shared)
    _interpolate_positions(ready, layout, crop)
    if has_packed_products():
        for module in list(ready.modules()):
            for name, child in module.named_children():
                if isinstance(child, torch.nn.Linear):
                    setattr(module, name, _PackedLinear(child, layout.tokens))
    return ready


def has_packed_products() -> bool:
    """Whether this torch can keep weights laid out for MKL (its builds for Intel and AMD can)."""
    return torch.backends.mkl.is_available() and hasattr(torch.ops.mkl, "_mkl_linear")


@torch.no_grad()
def _interpolate_positions(network: Any, layout: TokenLayout, crop: int) -> None:
    """Give `network` the position embeddings that it would interpolate for every image."""
    embeddings = network.embeddings
    patches = layout.grid[0] * layout.grid[1]
    like = torch.empty(1, 1 + patches, network.config.hidden_size)
    at_grid = embeddings.interpolate_pos_encoding(like, crop, crop)
    embeddings.position_embeddings = torch.nn.Parameter(at_grid, requires_grad=False)


class _PackedLinear(torch.nn.Module):
    """A linear layer for inputs of `rows` rows, its weight laid out once for MKL's product.

    MKL lays it out at every product otherwise, which is a seventh of the time for 261 rows. torch's
    own compiler uses these two operators so; an input of other rows goes through the plain product.
    """

    def __init__(self, linear: torch.nn.Linear, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.weight, self.bias = linear.weight, linear.bias
        self.packed = torch.ops.mkl._mkl_reorder_linear_weight(linear.weight.detach(), rows)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.mkl._mkl_linear(
            inputs, self.packed, self.weight, self.bias, self.rows
        )
        return product
