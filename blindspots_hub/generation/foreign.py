"""What a foreign pipeline may consist of: known classes, plain configurations, safetensors.

diffusers and transformers read a folder of a pipeline in many places, and several of them can fetch
or run code, or unpickle: `auto_map`, kernels named as an attention, quantisers, adapters, weights
that an index names. So a folder is looked through before either of them sees it, and what is not
known to be harmless is refused in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.config_bounds import config_faults, numbers
from blindspots_hub.utils.files import read_json
from blindspots_hub.utils.safetensors_header import NoTensors, TensorFile

INDEX = "model_index.json"
"""The file that makes a folder a diffusers pipeline."""

SHARDS = "*.safetensors.index*.json"
"""Names of the files that name shards: `x.index.json`, and `x.index.fp16.json` of a variant."""

SINGLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
"""A name of one file or folder: no way out of the folder that it stands in."""

FAMILIES = frozenset(
    (
        *("altclip", "bert", "blip", "blip_2", "byt5", "chinese_clip", "clip", "gemma", "gemma2"),
        *("gemma3", "gemma4", "glm", "glm4", "gpt2", "llama", "ministral3", "mistral", "mistral3"),
        *("mt5", "phi3", "pixtral", "qwen2", "qwen2_5_vl", "qwen2_vl", "qwen3", "qwen3_vl"),
        *("roberta", "siglip", "siglip2", "t5", "t5gemma", "umt5", "xlm_roberta"),
    )
)
"""Families of transformers whose models text-to-image pipelines of diffusers are made of."""

TOKENIZERS = ("AutoTokenizer", "PreTrainedTokenizerFast")
"""Classes of transformers that read a tokenizer of any family; `auto_map` is refused apart."""

CODE = (
    "auto_map",
    "custom_pipeline",
    "custom_pipelines",
    "trust_remote_code",
    "use_kernels",
    "kernel_config",
    "use_timm_backbone",
    "use_pretrained_backbone",
    "base_model_name_or_path",
    "peft_type",
)
"""Settings by which a configuration fetches or runs something else."""

ATTENTION = ("attn_implementation", "_attn_implementation", "_experts_implementation")
PLAIN_ATTENTION = (None, "", "eager", "sdpa")
QUANTISED = ("quantization_config", "quantization", "_quantization_config", "compression_config")
NEVER = (
    "adapter_config.json",
    "adapter_model.safetensors",
    "custom_generate",
    "modular_model_index.json",
)
"""Files by whose presence alone a library fetches or runs something else."""

SMALL_FILES = 64 * 1024**2
"""Bytes of a vocabulary or a configuration."""

MOST_FILES = 5_000
TIMESTEPS = 100_000
"""Most that a number of a scheduler may be: usual are a thousand training steps."""


def check_foreign(folder: Path, source: str) -> None:
    """Raise `BlindspotsError` where the pipeline in `folder` is more than classes and numbers.

    `source` is what the user named. Nothing is built; weights are looked at by their headers.
    """
    index = small_json(folder / INDEX, INDEX, source)
    _check_settings(index, INDEX, source)
    parts = dict(components(index, source))
    _check_files(folder, source)
    for part, (library, class_name) in parts.items():
        kind = component_kind(library, class_name, source, part)
        if (folder / part).is_dir():
            _check_numbers(folder / part, part, kind, source)


def check_part(folder: Path, part: str, kind: str, source: str) -> None:
    """The same for the folder of one component, of a `kind` as `component_kind` gives it."""
    _check_files(folder, source)
    _check_numbers(folder, part, kind, source)


def _check_files(folder: Path, source: str) -> None:
    for path in _files(folder, source):
        name = path.relative_to(folder).as_posix()
        if path.name in NEVER or name in NEVER:
            raise refused(source, f"has a file {name}, by which other models or code are loaded")
        if path.suffix == ".json":
            content = small_json(path, name, source, whole=False)
            if fnmatch(path.name, SHARDS):
                _check_shards(content, name, source)
            elif not path.name.endswith(".index.json"):
                _check_settings(content, name, source)


def components(index: Mapping[str, Any], source: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Name, library and class of every component that model_index.json names."""
    for name, value in index.items():
        if name.startswith("_") or not isinstance(value, list):
            continue
        if value == [None, None]:
            continue
        if len(value) == 2 and all(isinstance(one, (int, float)) for one in value):
            continue  # a setting of the pipeline
        if not SINGLE.fullmatch(name) or ".." in name:
            raise refused(source, "names a component that is no plain name")
        if len(value) != 2 or not all(isinstance(one, str) and one for one in value):
            raise refused(source, f"does not name library and class of its {name}")
        yield name, (value[0], value[1])


def component_kind(library: str, class_name: str, source: str, part: str) -> str:
    """ "model", "scheduler" or "other" of a component's class; one that is not known is refused."""
    import diffusers
    import transformers

    from blindspots_hub.generation.models import PIPELINE_CLASSES

    own = {cls.__module__: cls for cls in PIPELINE_CLASSES.values()}
    if library in own:
        return "other"  # of a class that this process registered
    if library == "diffusers":
        cls = getattr(diffusers, class_name, None)
    elif library == "transformers":
        cls = getattr(transformers, class_name, None)
    elif SINGLE.fullmatch(library) and hasattr(diffusers.pipelines, library):
        cls = getattr(getattr(diffusers.pipelines, library), class_name, None)
    else:
        raise own_code(source)
    kind = _kind(cls) if isinstance(cls, type) else None
    if kind is None:
        raise refused(
            source,
            f"has a {class_name[:60]} as its {part}, which text-to-image pipelines are not made of",
        )
    return kind


def _kind(cls: type) -> str | None:
    from diffusers import ConfigMixin, DiffusionPipeline, ModelMixin
    from diffusers.schedulers.scheduling_utils import SchedulerMixin
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProcessorMixin
    from transformers.feature_extraction_utils import FeatureExtractionMixin
    from transformers.image_processing_base import ImageProcessingMixin

    library, _, rest = cls.__module__.partition(".")
    if cls.__name__ in TOKENIZERS and library == "transformers":
        return "other"
    if issubclass(cls, DiffusionPipeline) or cls.__name__.startswith(("AutoModel", "AutoPipeline")):
        return None
    if library == "transformers" and rest.split(".")[0:1] == ["models"]:
        if rest.split(".")[1] not in FAMILIES:
            return None
    elif library != "diffusers":
        return None
    if issubclass(cls, SchedulerMixin):
        return "scheduler"
    if issubclass(cls, (ModelMixin, PreTrainedModel)):
        return "model"
    readers = (PreTrainedTokenizerBase, ProcessorMixin, FeatureExtractionMixin)
    if issubclass(cls, (*readers, ImageProcessingMixin, ConfigMixin)):
        return "other"
    return None


def small_json(path: Path, name: str, source: str, whole: bool = True) -> dict[str, Any]:
    """A JSON object of a model's folder; with `whole` False what is no object is an empty one."""
    if path.stat().st_size > SMALL_FILES:
        raise refused(source, f"has a {name} of {path.stat().st_size / 1e6:,.0f} MB")
    try:
        return read_json(path)
    except BlindspotsError:
        if not whole and path.name not in ("config.json", "tokenizer_config.json"):
            return {}
        raise refused(source, f"has a {name} that is no JSON object") from None


def _files(folder: Path, source: str) -> Iterator[Path]:
    """Every file of a model's folder; links only to weights, or inside the folder or its cache."""
    root = folder.resolve()
    inside = [root]
    for place in (folder, folder.parent):  # in the Hub's cache files are links to blobs
        if place.parent.name == "snapshots":
            inside.append((place.parent.parent / "blobs").resolve())
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if number > MOST_FILES:
            raise refused(source, f"holds more than {MOST_FILES:,} files")
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.is_symlink():
            target = path.resolve()
            own = any(place in target.parents for place in inside)
            if path.is_dir() or not (own or (path.suffix == ".safetensors" and target.is_file())):
                raise refused(
                    source, f"has a link {path.relative_to(folder)}, which leads out of it"
                )
        if path.is_file():
            size = path.stat().st_size
            if path.suffix in (".json", ".txt", ".model", ".spm") and size > SMALL_FILES:
                raise refused(source, f"has a file {path.name[:60]} of {size / 1e6:,.0f} MB")
            yield path
        elif not path.is_dir():
            raise refused(source, f"has a pipe or device {path.relative_to(folder)}")


def _check_settings(config: Mapping[str, Any], name: str, source: str) -> None:
    for key, value in _settings(config):
        if key in CODE and value:
            raise refused(source, f"sets {key} in its {name}, which can fetch and run code")
        if key in QUANTISED and value:
            raise refused(source, f"is quantised ({key} in its {name}), which needs code of others")
        if key in ATTENTION:
            asked = value.values() if isinstance(value, dict) else [value]
            if any(not isinstance(o, (str, type(None))) or o not in PLAIN_ATTENTION for o in asked):
                raise refused(
                    source,
                    f"asks for the attention {str(value)[:60]!r} in its {name}, which is not one "
                    "of eager and sdpa and can be code of the Hub",
                )
        names_file = key.endswith("_file") and isinstance(value, str)
        if names_file and (not SINGLE.fullmatch(value) or ".." in value):
            raise refused(source, f"names a file elsewhere ({key} in its {name})")


def _settings(value: Any, deep: int = 0) -> Iterator[tuple[str, Any]]:
    """Every key of a JSON value with what it holds, at any depth."""
    if deep > 24:
        yield "auto_map", "nested without end"
        return
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield key, one
            yield from _settings(one, deep + 1)
    elif isinstance(value, list) and len(value) <= 100_000:
        for one in value:
            if isinstance(one, (dict, list)):
                yield from _settings(one, deep + 1)


def _check_shards(index: Mapping[str, Any], name: str, source: str) -> None:
    """An index that safetensors are read by names shards beside it; others are never read."""
    found = index.get("weight_map")
    if not isinstance(found, dict) or not all(isinstance(o, str) for o in found.values()):
        raise refused(source, f"has a {name} without a map of its weights")
    for shard in sorted(set(found.values())):
        if not SINGLE.fullmatch(shard) or not shard.endswith(".safetensors"):
            raise refused(source, f"names weights in its {name} that are no safetensors beside it")


def _check_numbers(folder: Path, part: str, kind: str, source: str) -> None:
    """Numbers of a component's configurations, by what its weights hold."""
    if kind == "scheduler":
        for path in folder.glob("*.json"):
            for where, value in numbers(small_json(path, path.name, source, whole=False)):
                if abs(value) > TIMESTEPS:
                    raise refused(source, f"asks for {part} {where[:60]} = {value:.6g}")
        return
    path = folder / "config.json"
    if kind != "model" or not path.is_file():
        return
    shapes = []
    for weights in sorted(folder.glob("*.safetensors")):
        try:
            shapes += [tensor.shape for tensor in TensorFile(weights).tensors.values()]
        except NoTensors as error:
            raise BlindspotsError(
                f"{source} has damaged weights in its {part} ({weights.name}: {error}): fetch it "
                "again."
            ) from error
    if fault := next(config_faults(read_json(path), shapes), None):
        raise refused(source, f"{fault} (config.json of its {part})")


def refused(source: str, why: str) -> BlindspotsError:
    """The refusal of a model, in one sentence."""
    return BlindspotsError(
        f"{source} {why}, and cannot be loaded: give a pipeline as save_pretrained writes it, of "
        "diffusers' and transformers' own classes."
    )


def own_code(source: str) -> BlindspotsError:
    """The refusal of a pipeline that names classes from anywhere but the known libraries."""
    return BlindspotsError(
        f"{source} brings Python code of its own, which is never run: "
        "give a pipeline made of diffusers' and transformers' own classes."
    )


def check_loaded(told: Mapping[str, Any], source: str) -> None:
    """Refuse a network of transformers that its weights leave partly random.

    `told` is the loading info of `from_pretrained(..., output_loading_info=True)`.
    """
    for kind in ("missing_keys", "mismatched_keys"):
        if names := list(told.get(kind) or ()):
            raise BlindspotsError(
                f"{source} lacks weights of its own kind ({len(names):,}, such as "
                f"{str(names[0])[:80]!r}): its config.json is of another model, or its files are "
                "not whole; fetch it again."
            )
