"""How well a RA-SAE reconstructs tokens, and with how many codes."""

from __future__ import annotations

import numpy as np
import torch

from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.training.batches import Tokens
from blindspots_hub.errors import BlindspotsError


class Reconstruction:
    """Sums over tokens, chunk by chunk, of which R², L0 and the dead share are made.

    Everything is summed in float64, so the chunks' sizes change no digit that is shown.
    """

    def __init__(self, sae: RASAE) -> None:
        self.sae = sae
        self.tokens = self.codes = 0
        self._error = self._squares = 0.0
        self._total = torch.zeros(sae.config.d, dtype=torch.float64)
        self.fires = np.zeros(sae.config.n_concepts, dtype=np.int64)
        """On how many of the tokens each concept fires, (n,)."""

    @torch.no_grad()
    def add(self, tokens: torch.Tensor) -> None:
        """Count the chunk `tokens` (T, d), of any float type, on any device."""
        x = tokens.to("cpu", torch.float32)
        z = self.sae.encode(x)
        self._error += float((self.sae.decode(z).cpu() - x).double().square().sum())
        self._total += x.double().sum(0)
        self._squares += float(x.double().square().sum())
        self.tokens += len(x)
        self.codes += z.nnz
        self.fires += np.bincount(z.concepts, minlength=self.sae.config.n_concepts)

    def quality(self) -> dict[str, float]:
        """`r2`: 1 − squared error over squared distance to the tokens' mean; `l0`: codes a token;
        `dead_share`: share of the concepts that fire on none of the tokens.

        Raises `BlindspotsError` where R² is not defined: no tokens, or all the same.
        """
        spread = self._squares - float(self._total.square().sum()) / max(1, self.tokens)
        if not spread > 0:
            raise BlindspotsError(
                f"{self.tokens} tokens that do not differ have no R²: give more images."
            )
        return {
            "r2": 1 - self._error / spread,
            "l0": self.codes / self.tokens,
            "dead_share": float((self.fires == 0).mean()),
        }


def reconstruction_quality(
    sae: RASAE, tokens: Tokens | torch.Tensor, chunk: int = 4096
) -> dict[str, float]:
    """R², L0 and dead share of `sae` on `tokens` (M, d): see `Reconstruction.quality`."""
    counted = Reconstruction(sae)
    for start in range(0, len(tokens), chunk):
        counted.add(torch.as_tensor(tokens[start : start + chunk]))
    return counted.quality()
