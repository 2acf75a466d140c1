"""What kind of place the page is served from, and what its visitors may do there."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.serving.zerogpu import on_zerogpu
from blindspots_hub.utils.hub_probe import hub_reachable

PUBLIC_PAIRS = 500
"""Most pairs, and most images, of one evaluation where strangers share a server."""

PUBLIC_STEPS = 100
"""Most denoising steps that a stranger may ask for: twice what pipelines usually do."""

PUBLIC_SIDE = 1024
"""Largest side in pixels that a stranger may ask for: what large pipelines are trained at."""

PUBLIC_BYTES = 20 * 1024**3
"""Most bytes of weights that a stranger's model may have."""

LONGEST_SEED = 2**32 - 1
"""Largest seed that is taken from a stranger."""

ZEROGPU_BATCH = 4
"""Captions that one loan of a GPU draws: more would ask for longer loans than visitors have."""


@dataclass(frozen=True)
class Deployment:
    """Where the page is served: on somebody's own machine (the defaults), or on a Space.

    `public`: visitors are strangers to the machine; only known models and ids of the Hub are
    evaluated, within bounds. `login`: the Space has OAuth, so a visitor can publish under their own
    name. `zerogpu`: the GPU is lent by the second, on the visitor's account.
    """

    public: bool = False
    login: bool = False
    zerogpu: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Deployment:
        """The site that a process's environment tells of; Spaces set these variables."""
        return cls(
            public="SPACE_ID" in environment,
            login="OAUTH_CLIENT_ID" in environment,
            zerogpu=on_zerogpu(environment),
        )

    @property
    def batch_size(self) -> int:
        """Captions that are drawn at once."""
        return ZEROGPU_BATCH if self.zerogpu else 1

    def most_pairs(self, available: int) -> int:
        """Most pairs of one evaluation, of those that are `available`."""
        return min(available, PUBLIC_PAIRS) if self.public else available

    def accepted(
        self, model: str | None, pairs: float, seed: float | None, known: Sequence[str]
    ) -> tuple[str, int, int]:
        """What the form asks for as (model, pairs, seed), or a `BlindspotsError`.

        A stranger's words never name something on this machine's disk: what is no known model and
        no Hub id, or is a path here as well, gets one answer, whatever lies there.
        """
        spec = (model or "").strip()
        if not spec:
            raise BlindspotsError("No model is named: choose one, or give a folder or a Hub id.")
        count, number = int(pairs), int(seed or 0)
        if not self.public:
            return spec, count, number
        if spec not in known and not _only_hub_id(spec):
            raise BlindspotsError(
                "This Space evaluates the models of the list, and models of the Hugging Face Hub "
                "by their id, such as org/name or org/name@revision."
            )
        if count > PUBLIC_PAIRS:
            raise BlindspotsError(
                f"This Space evaluates at most {PUBLIC_PAIRS} pairs at a time: for more, run it on "
                f"your own machine: {evaluate_command(spec, count, number)}"
            )
        if not 0 <= number <= LONGEST_SEED:
            raise BlindspotsError(f"The seed is a number from 0 to {LONGEST_SEED:,}.")
        return spec, count, number

    def check_generations(
        self,
        model: str,
        pairs: int,
        num_images_per_prompt: int,
        num_inference_steps: int | None,
        size: int | None,
    ) -> None:
        """`BlindspotsError` where a stranger wants more drawn, or slower, than a Space can give."""
        if not self.public:
            return
        if pairs * num_images_per_prompt > PUBLIC_PAIRS:
            raise BlindspotsError(
                f"{pairs:,} pairs with {num_images_per_prompt} images each are "
                f"{pairs * num_images_per_prompt:,} images, and this Space generates at most "
                f"{PUBLIC_PAIRS} at a time: ask for less, or run it on "
                f"your own machine: {evaluate_command(model, pairs, 0, num_images_per_prompt)}"
            )
        if num_inference_steps is not None and num_inference_steps > PUBLIC_STEPS:
            raise BlindspotsError(
                f"This Space takes at most {PUBLIC_STEPS} steps, not {num_inference_steps:,}."
            )
        if size is not None and size > PUBLIC_SIDE:
            raise BlindspotsError(
                f"This Space draws images of at most {PUBLIC_SIDE} pixels a side, not {size:,}."
            )

    def check_size(self, model: str, known: Sequence[str]) -> None:
        """`BlindspotsError` where a stranger's model is too large to be fetched here.

        Known models are not looked at, nor is anything where the Hub cannot be reached: loading
        tells that better.
        """
        if not self.public or model in known or not hub_reachable():
            return
        size = weight_bytes(*model.partition("@")[::2])
        if size > PUBLIC_BYTES:
            raise BlindspotsError(
                f"{model} holds {size / 1024**3:.0f} GB of weights, and this Space takes models of "
                f"at most {PUBLIC_BYTES / 1024**3:.0f} GB: run it on your own machine: "
                f"{evaluate_command(model, 200, 0)}"
            )


def _only_hub_id(spec: str) -> bool:
    return bool(HUB_ID.fullmatch(spec)) and ".." not in spec and not Path(spec).exists()


def weight_bytes(model: str, revision: str) -> int:
    """Bytes of the safetensors that a pipeline of the Hub is loaded from; 0 where it has none."""
    from huggingface_hub import HfApi

    from blindspots_hub.utils.hub_errors import call_hub

    info = call_hub(
        lambda: HfApi().model_info(model, revision=revision or None, files_metadata=True),
        f"The model {model}",
    )
    # Weights of a component lie in its folder; variants such as fp16 are not what is loaded.
    return sum(
        file.size or 0
        for file in info.siblings or ()
        if file.rfilename.endswith(".safetensors")
        and "/" in file.rfilename
        and ".fp16." not in file.rfilename
    )


def evaluate_command(model: str, pairs: int, seed: int, num_images_per_prompt: int = 1) -> str:
    """The command that evaluates the same on one's own machine."""
    parts = ["python", "-m", "blindspots_hub", "evaluate", model, "--pairs", str(pairs)]
    parts += ["--seeds", str(num_images_per_prompt)] if num_images_per_prompt != 1 else []
    return shlex.join([*parts, "--seed", str(seed), "--out", "runs/mine"])
