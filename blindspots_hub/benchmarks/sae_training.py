"""How fast a training step is: against overcomplete's `train_sae`, and against its own floor."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.benchmarks.harness import Row, at_most, beside, in_turns, unmeasured
from blindspots_hub.benchmarks.overcomplete import NotInstalled, Overcomplete, Stopped, environment
from blindspots_hub.concepts.training.config import Precision, TrainConfig
from blindspots_hub.concepts.training.state import TrainState
from blindspots_hub.concepts.training.step import match_scale, set_gradients
from blindspots_hub.progress import Work

OVER_FLOOR = 1.6
"""How many times as long as its three GEMMs a step may take, at full size."""


@dataclass(frozen=True)
class StepShape:
    """d: token width; n_concepts: atoms; n_centroids: candidate points; batch: tokens a step."""

    d: int
    n_concepts: int
    n_centroids: int
    batch: int

    def text(self) -> str:
        """As the rows name it."""
        return f"{self.d}/{self.n_concepts}/{self.n_centroids}/{self.batch}"


FULL = StepShape(d=768, n_concepts=32_000, n_centroids=2048, batch=4096)
QUICK = StepShape(d=64, n_concepts=2048, n_centroids=256, batch=512)


def tokens_for(shape: StepShape, batches: int, seed: int) -> NDArray[np.float32]:
    """Tokens of the shape's width, (batches · batch, d): normal, without any structure.

    The hardest there are for our step, whose time grows with the atoms that a batch uses: codes of
    such tokens are spread over all of them.
    """
    return np.random.default_rng(seed).standard_normal((batches * shape.batch, shape.d), np.float32)


def step_rows(shape: StepShape, repeats: int, cache: Path, judged: bool) -> Work[list[Row]]:
    """The two rows of a training step on the CPU, in fp32 on both sides.

    Our step is the default recipe's. overcomplete's runs the mean squared error alone, as it is
    the faster for it. In each round both and the floors run once, and ratios are of medians. Our
    step makes only the atoms that a batch uses, and the floor that is judged makes no more.
    """
    tokens = tokens_for(shape, batches=repeats + 2, seed=0)
    centroids, batches = tokens[: shape.n_centroids], tokens[shape.batch :]
    name = f"training step {shape.text()} (d/n/n'/batch), fp32, CPU"
    ours = our_step(shape, torch.from_numpy(centroids))
    rows = batches.reshape(-1, shape.batch, shape.d)
    used: list[int] = []

    def step(turn: int) -> None:
        used.append(ours(torch.from_numpy(rows[turn])))

    dense = floor(shape, torch.from_numpy(rows[0]))
    contestants: dict[str, Callable[[int], float | None]] = {
        "ours": step,
        "floor": lambda turn: dense(used[-1]),
        "floor with all atoms": lambda turn: dense(shape.n_concepts),
    }
    label = f"{name}: rate, over overcomplete's train_sae"
    with tempfile.TemporaryDirectory() as folder:
        try:
            python = environment(cache)
            with Overcomplete(python, Path(folder)) as theirs:
                np.save(Path(folder) / "tokens.npy", batches)
                np.save(Path(folder) / "centroids.npy", centroids)
                _build(theirs, shape)
                contestants["overcomplete"] = lambda turn: float(
                    theirs.order("step", start=turn * shape.batch)["seconds"]
                )
                seconds = yield from in_turns(contestants, repeats, "training steps")
                rate = beside(
                    label,
                    seconds["overcomplete"] / seconds["ours"],
                    " ×",
                    seconds=seconds,
                    shape=asdict(shape),
                )
        except (NotInstalled, Stopped) as why:
            contestants.pop("overcomplete", None)
            seconds = yield from in_turns(contestants, repeats, "training steps")
            rate = unmeasured(label, str(why), "told")
    over_all = seconds["ours"] / seconds["floor with all atoms"]
    return [
        rate,
        at_most(
            f"{name}: time, over its three GEMMs",
            seconds["ours"] / seconds["floor"],
            OVER_FLOOR,
            " ×",
            judged=judged,
            seconds=seconds,
            shape=asdict(shape),
            atoms_used=used,
            over_floor_with_all_atoms=over_all,
        ),
    ]


def our_step(
    shape: StepShape,
    centroids: torch.Tensor,
    device: str = "cpu",
    precision: Precision = "fp32",
) -> Callable[[torch.Tensor], int]:
    """A step of `train_sae` on a batch (B, d) on `device`, at the recipe's highest rate.

    It returns how many atoms the batch used.
    """
    config = TrainConfig(
        n_concepts=shape.n_concepts,
        n_centroids=shape.n_centroids,
        batch=shape.batch,
        device=device,
        precision=precision,
    )
    state = TrainState(config, centroids, seed=0)

    def step(x: torch.Tensor) -> int:
        if state.step == 0:
            match_scale(x, state.encoder, state.dictionary)
        seen = set_gradients(
            x, state.encoder, state.dictionary, config.auxiliary_weight, config.dtype(0, 10)
        )
        state.update(config.peak_rate)
        state.remember(seen)
        return int(seen.fired.sum())

    return step


def floor(shape: StepShape, x: torch.Tensor) -> Callable[[int], None]:
    """What no step does without: x Wᵀ, and A C and the gradient of A for the atoms used.

    It is called with the number of these atoms.
    """
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(shape.n_concepts, shape.d, generator=generator)
    mixture = torch.rand(shape.n_concepts, shape.n_centroids, generator=generator)
    points = torch.randn(shape.n_centroids, shape.d, generator=generator)
    codes = torch.empty(shape.batch, shape.n_concepts)
    atoms = torch.empty(shape.n_concepts, shape.d)
    gradient = torch.empty_like(mixture)

    def run(used: int) -> None:
        torch.mm(x, weight.T, out=codes)
        torch.mm(mixture[:used], points, out=atoms[:used])
        torch.mm(atoms[:used], points.T, out=gradient[:used])

    return run


def _build(theirs: Overcomplete, shape: StepShape) -> None:
    recipe = TrainConfig()
    theirs.order(
        "build",
        tokens=str(theirs.folder / "tokens.npy"),
        centroids=str(theirs.folder / "centroids.npy"),
        n_concepts=shape.n_concepts,
        k=recipe.k,
        relaxation=recipe.relaxation,
        batch=shape.batch,
        rate=recipe.peak_rate,
        betas=recipe.betas,
        weight_decay=recipe.weight_decay,
        auxiliary_weight=0.0,
        threads=torch.get_num_threads(),
        seed=0,
    )
