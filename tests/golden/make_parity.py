"""Writes `parity.json`: the authors' δ of a few dense codes, by loops over plain floats.

    python tests/golden/make_parity.py

It follows METHOD section 3 and the authors' scripts (energies sum all 261 tokens, τ = 0.8, 0.4 on
the relative gap) and imports nothing of this project, nor numpy's sums: what it writes is what the
sparse way is held against.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

IMAGES, TOKENS, CONCEPTS = 6, 9, 7  # 1 class token, 4 registers, 2 x 2 patches


def codes(seed: int, strength: float) -> list[list[list[float]]]:
    dice = random.Random(seed)
    return [
        [
            [
                round(strength * dice.uniform(0.5, 3), 3) if dice.random() < 0.08 * k else 0.0
                for k in range(CONCEPTS)  # concept 0 never fires
            ]
            for _ in range(TOKENS)
        ]
        for _ in range(IMAGES)
    ]


def main() -> None:
    natural, generated = codes(1, 1.0), codes(2, 1.3)
    rows = []
    for k in range(CONCEPTS):
        e = sum(sum(token[k] for token in image) for image in natural) / IMAGES
        e_generated = sum(sum(token[k] for token in image) for image in generated) / IMAGES
        gap = e_generated - e
        relative = gap / (e_generated + e) if e_generated + e > 0 else 0.0
        rows.append(
            {
                "energy_natural": e,
                "energy_generated": e_generated,
                "delta": 1 / (1 + math.exp(-gap / 0.8)),
                "relative": 1 / (1 + math.exp(-relative / 0.4)),
            }
        )
    golden = {"natural": natural, "generated": generated, "concepts": rows}
    Path(__file__).with_name("parity.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
