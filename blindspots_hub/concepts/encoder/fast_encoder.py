"""Sparse codes of tokens at the speed of one low-precision matrix product, to 1 ulp of float32."""

from __future__ import annotations

import torch

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.encoder.folding import FoldedEncoder
from blindspots_hub.concepts.encoder.screen import Screen, fast_bfloat16
from blindspots_hub.concepts.encoder.select import kept_at_least, kept_top_k
from blindspots_hub.concepts.rasae_config import RASAEConfig
from blindspots_hub.utils.side_by_side import side_by_side

_TOKENS = {"cpu": 1044, "cuda": 1 << 14}
"""Tokens that are encoded at once, by a core of a CPU or by a GPU: four images' on a CPU."""
_LEAST_TOKENS = 522
"""Tokens that are worth a core, where there are fewer than all cores could take."""


class FastEncoder:
    """Codes of a RA-SAE: screened for candidates, the candidates computed (`folding`) and decided.

    weight (n, d), bias, gain, shift (n,): of the Linear and the LayerNorm. screen: the type of the
    screening product; None = bfloat16 where the device multiplies it fast, float32 elsewhere. It
    decides how many candidates there are, never which codes.
    """

    def __init__(
        self,
        config: RASAEConfig,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gain: torch.Tensor,
        shift: torch.Tensor,
        screen: torch.dtype | None = None,
    ) -> None:
        self.config = config
        weights = (weight.detach(), bias.detach(), gain.detach(), shift.detach())
        self._weights = weights  # held, so that no other tensor comes to lie where they do
        self._made_of = _identity(weights)
        # Devices of other kinds have no float64.
        self.device = weight.device if weight.device.type == "cuda" else torch.device("cpu")
        if screen is None:
            screen = torch.bfloat16 if fast_bfloat16(self.device) else torch.float32
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            own = [tensor.to(self.device) for tensor in weights]
            self._folded = FoldedEncoder(own[0], own[1], own[2], own[3], config.layer_norm_eps)
            self._screen = Screen(self._folded, screen)

    def is_of(self, weights: tuple[torch.Tensor, ...]) -> bool:
        """Was this made of `weights`, and have they not been written to since (but by `.data`)?"""
        return self._made_of == _identity(weights)

    def encode(self, tokens: torch.Tensor) -> SparseCodes:
        """Codes of finite `tokens` (T, d) float32."""
        parts = tokens.detach().to(self.device).tensor_split(self._parts(len(tokens)))
        with self._screen.full_precision():
            if self.device.type == "cpu":
                codes = side_by_side(self._decided, parts)
            else:
                codes = [self._decided(part) for part in parts]
        return SparseCodes.concatenate(codes)

    def _parts(self, tokens: int) -> int:
        """In how many parts they are encoded; as many for each core of a CPU, if they are many."""
        parts = -(-tokens // _TOKENS[self.device.type])
        if self.device.type == "cpu":
            cores = torch.get_num_threads()
            parts = min(-(-parts // cores) * cores, tokens // _LEAST_TOKENS)
        return max(1, parts)

    @torch.no_grad()
    def _decided(self, tokens: torch.Tensor) -> SparseCodes:
        with torch.autocast(self.device.type, enabled=False):
            return self._codes(tokens)

    def _codes(self, tokens: torch.Tensor) -> SparseCodes:
        config = self.config
        statistics = self._folded.statistics(tokens)
        threshold = config.threshold if config.sparsity == "batch_topk" else None
        if threshold is not None:
            which, concepts = self._screen.at_least(tokens, statistics, threshold)
        else:
            which, concepts = self._screen.top(tokens, statistics, config.k)
        values = self._folded.values(tokens, statistics, which, concepts)
        found = (which.cpu().numpy(), concepts.cpu().numpy(), values.cpu().numpy())
        shape = (len(tokens), config.n_concepts)
        if threshold is not None:
            return kept_at_least(*found, threshold, shape)
        return kept_top_k(*found, config.k, shape)


def _identity(tensors: tuple[torch.Tensor, ...]) -> list[tuple[object, ...]]:
    """Differs once one of `tensors` has been written to, moved or replaced."""
    return [
        (tensor.data_ptr(), tensor.device, 0 if tensor.is_inference() else tensor._version)
        for tensor in tensors
    ]
