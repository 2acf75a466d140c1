"""`python -m blindspots_hub.benchmarks.encode_memory FOLDER encode|plain`: bytes at the peak.

Runs in a process of its own, so that nothing that was held before hides what encoding takes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from blindspots_hub.benchmarks.encode import plain_encode
from blindspots_hub.benchmarks.process_memory import raised_by
from blindspots_hub.concepts.rasae import RASAE


def main() -> None:
    """Print how far encoding raises the peak above what is held before it."""
    folder, way = Path(sys.argv[1]), sys.argv[2]
    sae = RASAE.from_pretrained(folder)
    tokens = torch.from_numpy(np.load(folder / "tokens.npy"))
    few = RASAE(sae.config.__class__(d=8, n_concepts=16)).eval()  # loads the libraries' code
    encode = RASAE.encode if way == "encode" else plain_encode
    encode(few, torch.zeros(2, 8))
    for weights in sae.state_dict().values():
        weights.sum()  # the file is mapped: only now is it in memory
    print(raised_by(lambda: encode(sae, tokens)))


if __name__ == "__main__":
    main()
