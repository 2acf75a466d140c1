"""What half precision costs: codes and reconstructions of a rounded RA-SAE against the exact."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from blindspots_hub.concepts.rasae import RASAE

PROBE_TOKENS = 512
"""How many tokens the two are compared on, at most."""


@dataclass(frozen=True)
class RoundingError:
    """Differences over `tokens` tokens between a RA-SAE and the same with rounded matrices.

    fires: codes of the exact one; changed: fires that only one of the two has; code_max, code_mean:
    absolute difference of the codes that both have; reconstruction_max, reconstruction_mean: length
    of a token's difference as a share of the exact reconstruction's, over tokens that have one.
    """

    tokens: int
    fires: int
    changed: int
    code_max: float
    code_mean: float
    reconstruction_max: float
    reconstruction_mean: float


def rounding_error(exact: RASAE, rounded: RASAE, tokens: torch.Tensor) -> RoundingError:
    """Compare two RA-SAEs on at most `PROBE_TOKENS` of `tokens` (T, d), evenly spaced."""
    step = max(1, -(-len(tokens) // PROBE_TOKENS))
    probe = tokens[::step].float()
    ours, theirs = exact.encode(probe), rounded.encode(probe)
    a, b = torch.from_numpy(ours.to_dense()), torch.from_numpy(theirs.to_dense())
    both = (a > 0) & (b > 0)
    codes = (a - b).abs()[both]
    wanted = exact.decode(ours)
    length = wanted.norm(dim=1)
    off = ((rounded.decode(theirs) - wanted).norm(dim=1) / length)[length > 0]
    return RoundingError(
        tokens=len(probe),
        fires=ours.nnz,
        changed=int(((a > 0) ^ (b > 0)).sum()),
        code_max=float(codes.max()) if len(codes) else 0.0,
        code_mean=float(codes.mean()) if len(codes) else 0.0,
        reconstruction_max=float(off.max()) if len(off) else 0.0,
        reconstruction_mean=float(off.mean()) if len(off) else 0.0,
    )
