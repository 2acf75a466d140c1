"""Makes published.npz: a tiny RA-SAE with its codes and reconstructions, by METHOD section 2.

Plain float64 numpy, with no code of this project: run `python tests/golden/make_published.py`.
Parameters are float32, as in the authors' file; W is as an optimiser leaves it, with negative
entries and rows of any sum, and some rows of Relax are longer than delta.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("published.npz")
N, N_CANDIDATES, D, TOKENS = 96, 40, 12, 30
EPS, DELTA, THRESHOLD = 1e-5, 1.0, 0.829


def parameters() -> dict[str, np.ndarray]:
    """Random parameters by their names in overcomplete, and tokens."""
    rng = np.random.default_rng(32_000)
    made = {
        "W": rng.normal(0.1, 0.5, (N, N_CANDIDATES)),
        "C": rng.normal(0, 2, (N_CANDIDATES, D)),
        "Relax": rng.normal(0, 0.3, (N, D)),
        "multiplier": np.array(0.7),
        "weight": rng.normal(0, 1, (N, D)),
        "bias": rng.normal(0, 0.3, N),
        "gain": rng.normal(1, 0.2, N),
        "shift": rng.normal(-0.5, 0.2, N),
        "tokens": rng.normal(0, 2, (TOKENS, D)),
    }
    made["W"][7] = -1  # a row without a positive entry: its atom is the relaxation alone
    return {name: value.astype(np.float32) for name, value in made.items()}


def dictionary(given: dict[str, np.ndarray]) -> np.ndarray:
    """D = exp(m) · (A C + Λ), (n, d)."""
    p = {name: value.astype(np.float64) for name, value in given.items()}
    rows = np.where(p["W"] > 0, p["W"], 0)
    rows = rows / (rows.sum(axis=1, keepdims=True) + 1e-8)
    length = np.sqrt((p["Relax"] ** 2).sum(axis=1, keepdims=True))
    relax = p["Relax"] * np.minimum(1, DELTA / length)
    return np.exp(p["multiplier"]) * (rows @ p["C"] + relax)


def codes(given: dict[str, np.ndarray]) -> np.ndarray:
    """ReLU(LayerNorm(W a + b)), kept where at least the threshold, (T, n)."""
    p = {name: value.astype(np.float64) for name, value in given.items()}
    hidden = p["tokens"] @ p["weight"].T + p["bias"]
    hidden = hidden - hidden.mean(axis=1, keepdims=True)
    hidden = hidden / np.sqrt((hidden**2).mean(axis=1, keepdims=True) + EPS)
    pre = np.maximum(hidden * p["gain"] + p["shift"], 0)
    assert np.abs(pre - THRESHOLD).min() > 1e-5, "a code too near the threshold for float32"
    return np.where(pre >= THRESHOLD, pre, 0)


def main() -> None:
    """Write published.npz beside this file."""
    given = parameters()
    golden = codes(given)
    assert 3 < (golden > 0).sum(axis=1).mean() < 30
    atoms = dictionary(given)
    np.savez_compressed(
        FILE, **given, golden_dictionary=atoms, golden_codes=golden, golden_tokens=golden @ atoms
    )


if __name__ == "__main__":
    main()
