"""The learning rate over the steps: linear warm-up, then a cosine (the paper's appendix B)."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, warmup_share: float, peak: float, final: float) -> float:
    """Rate of `step` (from 0) of `steps`: up to `peak` in the first `warmup_share`, then a cosine.

    The last step has exactly the `final` rate.
    """
    warmup = round(steps * warmup_share)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * progress)) / 2
