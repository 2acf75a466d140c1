"""Training a RA-SAE on tokens (METHOD section 2; the paper's appendix B)."""

from __future__ import annotations

from contextlib import closing

import torch

from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.training.batches import (
    BatchOrder,
    Tokens,
    batches,
    check_tokens,
    identity,
)
from blindspots_hub.concepts.training.checkpoint import Checkpoints
from blindspots_hub.concepts.training.config import TrainConfig
from blindspots_hub.concepts.training.kmeans import token_centroids
from blindspots_hub.concepts.training.schedule import learning_rate
from blindspots_hub.concepts.training.state import TrainState
from blindspots_hub.concepts.training.step import Outcome, match_scale, set_gradients
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.distributed import ALONE, Processes
from blindspots_hub.utils.files import fingerprint

__all__ = ["STAGE", "TrainConfig", "train_sae"]

STAGE = "train the RA-SAE"
"""The stage whose events carry metrics."""

_REPORTS = 10_000
"""Events of a training at most, and one in ten steps at most."""

_DEAD_AFTER = 100
"""A concept that fired in none of this many last steps is counted as dead while training."""


def train_on_tokens(
    tokens: Tokens | torch.Tensor,
    config: TrainConfig,
    seed: int,
    *,
    checkpoints: Checkpoints | None = None,
    processes: Processes = ALONE,
) -> Work[RASAE]:
    """Train a RA-SAE on `tokens` (M, d), of any float type; read from disk if they lie there.

    Yields an `Event` every few steps whose detail holds `loss`, `r2` (of the batch, where its
    tokens differ), `l0` (codes a token), `dead_share`, `rate` (the learning rate) and `stability`
    (mean cosine of atoms to themselves at the last event); returns the model, fused, in eval mode,
    on the CPU. The loss is that of `set_gradients`.

    On the CPU the same seed gives the same model to the bit, also through `checkpoints`: called
    again after it was stopped or killed, it goes on from the last. With several `processes` each
    works on its share of every batch and all return the same model, up to rounding that of one.
    Raises `BlindspotsError` for too few or unusable tokens, a `seed` below 0, a loss that is no
    number any more, and where `checkpoints` hold another training.
    """
    if seed < 0:
        raise BlindspotsError(f"A seed is a whole number from 0 on, not {seed}.")
    tokens = tokens.detach().cpu().numpy() if isinstance(tokens, torch.Tensor) else tokens
    check_tokens(tokens)
    if config.batch < processes.count:
        raise BlindspotsError(
            f"A batch of {config.batch} tokens leaves some of {processes.count} processes without "
            "any: choose a larger batch."
        )
    steps = config.total_steps(len(tokens))
    request = fingerprint({"config": config.to_json(), "seed": seed, "tokens": identity(tokens)})
    keeps = checkpoints if processes.is_first else None  # the state is the same in all of them
    state = yield from _begun(tokens, config, seed, keeps, request, processes)
    report = max(10, steps // _REPORTS)

    def keep() -> None:
        if keeps is not None:
            keeps.save(request, state.tensors(), state.facts())

    order = BatchOrder(len(tokens), config.batch, seed)
    share = processes.share(config.batch)
    with closing(batches(tokens, order, state.step, steps, share, config.device)) as every:
        for step, x in enumerate(every, state.step):
            if step == 0:
                match_scale(x, state.encoder, state.dictionary, processes)
            rate = learning_rate(
                step, steps, config.warmup_share, config.peak_rate, config.final_rate
            )
            seen = set_gradients(
                x, state.encoder, state.dictionary, config.auxiliary_weight,
                config.dtype(step, steps), processes,
            )  # fmt: skip
            if not torch.isfinite(seen.loss):
                raise BlindspotsError(
                    f"The training diverged: its loss is {float(seen.loss)} in step {step}; train "
                    f"with a lower peak rate than {config.peak_rate:g}, or in fp32."
                )
            state.update(rate)
            state.remember(seen)
            if step % report == 0 or step == steps - 1:
                detail = _detail(state, x, seen, processes) | {"rate": rate}
                try:
                    yield Event(STAGE, state.step, steps, detail)
                except GeneratorExit:  # whoever asked for this is stopping
                    keep()
                    raise
            if keeps is not None and keeps.due:
                keep()
    return state.model()


def _begun(
    tokens: Tokens,
    config: TrainConfig,
    seed: int,
    checkpoints: Checkpoints | None,
    request: str,
    processes: Processes,
) -> Work[TrainState]:
    """The state to go on from: the last checkpoint's, or the one before the first step."""
    found = checkpoints.load(request) if checkpoints is not None else None
    if processes.total(int(found is not None)):
        state = TrainState(config, torch.zeros(config.n_centroids, tokens.shape[1]), seed)
        if found is not None:
            state.restore(found)
    else:
        centroids = yield from token_centroids(
            tokens, config.n_centroids, config.kmeans_steps, max(config.batch, 1024), seed,
            config.device,
        )  # fmt: skip
        state = TrainState(config, torch.from_numpy(centroids), seed)
    if processes.count > 1:
        state.share(processes)
    return state


def _detail(
    state: TrainState, x: torch.Tensor, seen: Outcome, processes: Processes
) -> dict[str, float]:
    """What an event tells of the step that was just done; `x` is this process's share of it."""
    total, squares = x.double().sum(0), x.double().square().sum()
    processes.sum_(total, squares)
    batch = state.config.batch
    spread = float((squares - total.square().sum() / batch) / (batch * x.shape[1]))
    r2 = {"r2": 1 - float(seen.error) / spread} if spread > 0 else {}
    silent = state.last_fired < state.step - 1 - _DEAD_AFTER
    return {
        "loss": float(seen.loss),
        **r2,
        "l0": int(seen.codes) / batch,
        "dead_share": float(silent.float().mean()),
        "stability": state.stability(),
    }
