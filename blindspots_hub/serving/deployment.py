"""What kind of place the page is served from, and what its visitors may do there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blindspots_hub.data.identity import HUB_ID
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.serving.zerogpu import on_zerogpu
from blindspots_hub.utils.hub_probe import HubUnreachable, hub_reachable

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


MODELS = ".models"
"""Folder below that of the evaluations, of models that strangers asked for."""

PUBLIC_SECONDS = 3 * 3600.0
"""Longest that one stranger's evaluation runs at a time; what is done is kept."""

_PATHS = re.compile(r"(?<![\w:/.])(~|[A-Za-z]:)?[/\\][\w.@+~-]+([/\\][\w.@+~-]*)+")
_NEVER_READ = tuple(
    f".{ending}"
    for ending in (
        *("bin", "ckpt", "pt", "pth", "pkl", "msgpack", "h5", "pb", "onnx", "onnx_data", "xml"),
        *("gguf", "tflite", "ot"),
    )
)
_VARIANT = re.compile(r"\.(fp16|bf16|fp32|non_ema|ema)(-\d+-of-\d+)?\.safetensors$")


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
        """The site that a process's environment tells of; Spaces set these variables.

        Elsewhere than on a Space Gradio's login is a play of one, which makes whoever presses the
        button the owner of the machine's token: there is none then (`page.app.serve` sees to it).
        """
        return cls(
            public="SPACE_ID" in environment,
            login="OAUTH_CLIENT_ID" in environment and "SPACE_ID" in environment,
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
        spec = model.strip()[:500] if isinstance(model, str) else ""
        if not spec:
            raise BlindspotsError("No model is named: choose one, or give a folder or a Hub id.")
        count, number = _whole("The number of pairs", pairs), _whole("The seed", seed or 0)
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

    def access(
        self, model: str, known: Sequence[str], token: str | None, evaluations: Path
    ) -> Access:
        """For whom a model is loaded: on a public page never with the token of its owner.

        A visitor's own `token` is used where there is one. What is no known model is rehearsed
        first, and lies in a folder of its own below `evaluations`.
        """
        if not self.public:
            return OWNER
        strange = model not in known
        return Access(token or False, strange, evaluations / MODELS if strange else None)

    def check_size(self, model: str, known: Sequence[str], access: Access = OWNER) -> int:
        """Bytes that are to be fetched of a stranger's model; `BlindspotsError` where too many.

        Also where the Hub does not give it to whoever asks: what an earlier visitor's token, or the
        owner's, has fetched lies on this disk. Known models are not looked at.
        """
        if not self.public or model in known:
            return 0
        if not hub_reachable():
            raise HubUnreachable(
                f"{model} cannot be looked at: the Hugging Face Hub cannot be reached from here. "
                "Try again later, or take one of the list."
            )
        size = weight_bytes(*model.partition("@")[::2], token=access.token)
        if size > PUBLIC_BYTES:
            raise BlindspotsError(
                f"{model} holds {size / 1024**3:.0f} GB, and this Space takes models of at most "
                f"{PUBLIC_BYTES / 1024**3:.0f} GB: run it on your own machine: "
                f"{evaluate_command(model, 200, 0)}"
            )
        return size

    def told(self, sentence: str) -> str:
        """A sentence as a visitor may read it: a stranger is told no path of this machine."""
        return without_paths(sentence) if self.public else sentence


def without_paths(sentence: str) -> str:
    """A sentence with every path of this machine left out."""
    return _PATHS.sub("…", sentence)


def _whole(what: str, value: object) -> int:
    """A whole number of the form; what the form cannot send is a `BlindspotsError` too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        raise BlindspotsError(f"{what} is {str(value)[:40]!r}, which is no number.")
    if abs(value) > 1e15:
        raise BlindspotsError(f"{what} is too large.")
    return int(value)


def _only_hub_id(spec: str) -> bool:
    return bool(HUB_ID.fullmatch(spec)) and ".." not in spec and not Path(spec).exists()


def weight_bytes(model: str, revision: str, token: str | bool | None = None) -> int:
    """Bytes of all files that may be fetched of a pipeline of the Hub.

    Asked with `token`, and its first file too, which gated repositories give only to whom they
    know. Weights in formats that are never read are not fetched, nor single files at the top.
    """
    from huggingface_hub import HfApi, hf_hub_url

    from blindspots_hub.utils.hub_errors import call_hub

    api, at = HfApi(token=token), revision or None
    info = call_hub(
        lambda: api.model_info(model, revision=at, files_metadata=True), f"The model {model}"
    )
    names = [file.rfilename for file in info.siblings or ()]
    first = "model_index.json" if "model_index.json" in names else (names or ["README.md"])[0]
    call_hub(
        lambda: api.get_hf_file_metadata(
            url=hf_hub_url(model, first, revision=at, endpoint=api.endpoint), token=token
        ),
        f"The model {model}",
    )
    return sum(
        file.size or 0
        for file in info.siblings or ()
        if not file.rfilename.endswith(_NEVER_READ)
        and ("/" in file.rfilename or file.rfilename.endswith(".json"))
        and not _VARIANT.search(file.rfilename)
    )


def evaluate_command(model: str, pairs: int, seed: int, num_images_per_prompt: int = 1) -> str:
    """The command that evaluates the same on one's own machine."""
    parts = ["python", "-m", "blindspots_hub", "evaluate", model, "--pairs", str(pairs)]
    parts += ["--seeds", str(num_images_per_prompt)] if num_images_per_prompt != 1 else []
    return shlex.join([*parts, "--seed", str(seed), "--out", "runs/mine"])
