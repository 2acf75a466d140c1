"""LoRA weights and textual inversions: files of strangers, looked through before they are read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.additions import Lora
from blindspots_hub.generation.pipeline_files import local_first, snapshot_sha
from blindspots_hub.utils.files import sha256_file
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

_LORA = "pytorch_lora_weights.safetensors"
_INVERSION = "learned_embeds.safetensors"

_METADATA = "lora_adapter_metadata"
"""Key of a file's metadata by which diffusers configures what it builds."""

_PLAIN = frozenset(
    (
        *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora"),
        *("target_modules", "lora_bias", "bias", "fan_in_fan_out", "lora_dropout", "peft_version"),
        *("inference_mode", "init_lora_weights", "peft_type", "task_type"),
    )
)
"""Settings of a LoRA that are numbers, names of layers, or of no effect on what is loaded. Others
(megatron_core, auto_mapping, …) import modules by name or load other files: only empty."""

_DOWN = (".lora_A.weight", ".lora_down.weight", ".lora.down.weight", "_lora.down.weight")
"""Endings of one tensor of every layer that LoRA weights change, as programs name it."""

_MOST = 200_000
"""Tensors of one file."""


def add_loras(pipe: Any, loras: Sequence[Lora], source: str) -> dict[str, str]:
    """Put LoRA weights into `pipe`, all active at once; what was loaded, by name.

    Raises `BlindspotsError` where a file is not plain safetensors of a LoRA, does not fit the
    pipeline, or the pipeline takes none.
    """
    if not loras:
        return {}
    if not hasattr(pipe, "load_lora_weights"):
        raise BlindspotsError(f"A {type(pipe).__name__} takes no LoRA weights: leave them out.")
    found = {}
    for number, lora in enumerate(loras):
        path = _file(lora.source, _LORA, "LoRA")
        _check_lora(path, lora.source)
        name = f"lora_{number}"
        try:
            pipe.load_lora_weights(
                str(path.parent),
                weight_name=path.name,
                adapter_name=name,
                local_files_only=True,
                use_safetensors=True,
            )
            fits = any(name in names for names in pipe.get_list_adapters().values())
        except BlindspotsError:
            raise
        except Exception as error:  # diffusers and peft tell of shapes and names in many ways
            raise _other_architecture(lora.source, pipe, source) from error
        if not fits:
            raise _other_architecture(lora.source, pipe, source)
        found[f"lora {lora.source if not Path(lora.source).exists() else path.name}"] = _at(path)
    pipe.set_adapters(
        [f"lora_{number}" for number in range(len(loras))], [lora.weight for lora in loras]
    )
    return found


def partly_fitting(pipe: Any, loras: Sequence[Lora]) -> str:
    """Which of the LoRA weights in `pipe` found no place for some of their layers; mostly ""."""
    told = []
    networks = [one for one in pipe.components.values() if hasattr(one, "modules")]
    for number, lora in enumerate(loras):
        names = _header(_file(lora.source, _LORA, "LoRA"), lora.source).tensors
        there = sum(name.endswith(_DOWN) for name in names)
        found = sum(
            f"lora_{number}" in getattr(layer, "lora_A", ())
            for network in networks
            for layer in network.modules()
        )
        if found < there:
            told.append(
                f"Of the LoRA {lora.source} {found:,} of {there:,} layers fit; the others are of "
                "another architecture and were left out."
            )
    return " ".join(told)


def add_inversions(pipe: Any, inversions: Sequence[str], source: str) -> dict[str, str]:
    """Teach `pipe` the tokens of textual inversions; what was loaded, by token.

    A file holds a tensor by the token's name, or `emb_params` (then the token is the file's name in
    angle brackets), or `clip_l` and `clip_g` for the two text encoders of SDXL.
    """
    from safetensors.torch import load_file

    found = {}
    for one in inversions:
        if not hasattr(pipe, "load_textual_inversion"):
            raise BlindspotsError(
                f"A {type(pipe).__name__} takes no textual inversions: leave {one} out."
            )
        path = _file(one, _INVERSION, "textual inversion")
        names = sorted(_header(path, one).tensors)
        tensors = load_file(path)
        token = f"<{path.stem if path.stem != Path(_INVERSION).stem else path.parent.name}>"
        try:
            if {"clip_l", "clip_g"} <= set(names):
                pairs = (("clip_l", ""), ("clip_g", "_2"))
                for key, which in pairs:
                    pipe.load_textual_inversion(
                        {token: tensors[key]},
                        token=token,
                        text_encoder=getattr(pipe, f"text_encoder{which}"),
                        tokenizer=getattr(pipe, f"tokenizer{which}"),
                    )
            elif len(names) == 1:
                token = token if names[0] in ("emb_params", "*") else names[0]
                pipe.load_textual_inversion({token: next(iter(tensors.values()))}, token=token)
            else:
                raise BlindspotsError(
                    f"{one} holds {len(names)} tensors and is no textual inversion: give a file "
                    "with one."
                )
        except BlindspotsError:
            raise
        except Exception as error:  # sizes of embeddings, tokens that are there already
            first = (str(error).strip().splitlines() or [""])[0][:200]
            raise BlindspotsError(
                f"The textual inversion {one} does not fit {source} ({first}): give one that was "
                "made for its base model."
            ) from error
        found[f"inversion {token}"] = _at(path)
    return found


def _other_architecture(lora: str, pipe: Any, source: str) -> BlindspotsError:
    return BlindspotsError(
        f"The LoRA {lora} does not fit {source}, a {type(pipe).__name__}: it was made for another "
        "architecture; give one that was made for this model's base."
    )


def _header(path: Path, source: str) -> TensorFile:
    try:
        file = TensorFile(path)
    except (NoTensors, OSError) as error:
        raise BlindspotsError(
            f"{source} is no safetensors file that can be read ({error}): fetch it again."
        ) from error
    if not 0 < len(file.tensors) <= _MOST:
        raise BlindspotsError(f"{source} holds {len(file.tensors):,} tensors: give another file.")
    return file


def _check_lora(path: Path, source: str) -> None:
    """Raise where the metadata of a LoRA sets more than numbers and names of layers."""
    text = _header(path, source).metadata.get(_METADATA)
    if text is None:
        return
    try:
        told = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        raise BlindspotsError(f"{source} has broken metadata: fetch it again.") from error
    for key, value in (told if isinstance(told, dict) else {"": 1}).items():
        name = str(key).rpartition(".")[2]
        if name not in _PLAIN and value not in (None, False, [], {}, "", 0):
            raise BlindspotsError(
                f"{source} sets {name[:60] or 'more'} in its metadata, which a LoRA needs no code "
                "for to be loaded safely: save its weights again without it."
            )


def _file(source: str, usual: str, what: str) -> Path:
    """The .safetensors that `source` names: a file, the one in a folder, or the one on the Hub."""
    path = Path(source).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise BlindspotsError(
                f"{source} is no .safetensors file: other formats can run code and are not read."
            )
        return path
    if path.is_dir():
        return _only([one.name for one in path.glob("*.safetensors")], usual, path, source, what)
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    repo, _, named = source.partition(":")
    name, _, revision = repo.partition("@")

    def attempt(local: bool) -> Path:
        options: dict[str, Any] = {"revision": revision or None, "local_files_only": local}
        if named and not named.endswith(".safetensors"):
            raise BlindspotsError(f"{named} is no .safetensors file: name one that is.")
        try:
            return Path(hf_hub_download(name, named or usual, **options))
        except EntryNotFoundError:
            if named or local:
                raise
        files = HfApi().list_repo_files(name, revision=revision or None)
        there = [file for file in files if file.endswith(".safetensors") and "/" not in file]
        only = _only(there, usual, Path(), source, what)
        return Path(hf_hub_download(name, str(only), **options))

    return local_first(source, attempt)


def _only(names: Sequence[str], usual: str, folder: Path, source: str, what: str) -> Path:
    if usual in names:
        return folder / usual
    if len(names) != 1:
        told = ", ".join(sorted(names)[:5]) or "none"
        raise BlindspotsError(
            f"{source} has {len(names)} .safetensors files ({told}), so that it is not clear which "
            f"is the {what}: name one (PATH/FILE, or org/name:FILE)."
        )
    return folder / names[0]


def _at(path: Path) -> str:
    return snapshot_sha(path.parent) or f"sha256:{sha256_file(path)}"
