"""`import-published`: the authors' pickled RA-SAE in, one safe RA-SAE with its card out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from blindspots_hub import paper
from blindspots_hub.artifacts.cards.templates import write_published_card
from blindspots_hub.artifacts.layout import CARD
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.concepts.published.fuse import fusing
from blindspots_hub.concepts.published.pickle import Archetypes, PublishedSAE, read_published
from blindspots_hub.concepts.published.rounding import RoundingError, rounding_error
from blindspots_hub.concepts.published.source import PublishedFile, locate, pick_threshold
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.utils.files import read_json, write_json

_HASH_BYTES = 16 << 20
_WRITTEN = ("config.json", "model.safetensors", CARD)


@dataclass(frozen=True)
class Imported:
    """What an import wrote: `folder` opens with `RASAE.from_pretrained`.

    sha256: of the file that was read; is_published: whether it is the authors' published one;
    rounding: what float16 costs, None for float32.
    """

    folder: Path
    config: RASAEConfig
    sha256: str
    is_published: bool
    rounding: RoundingError | None


@Call
def import_published(
    source: str | Path,
    output_dir: str | Path,
    *,
    threshold: float | None = None,
    weights_dtype: str = "float32",
    revision: str | None = None,
) -> Work[Imported]:
    """Turn the published pickle into config.json, model.safetensors and a card, in `output_dir`.

    `source` is the .pth, a folder that holds it, or a Hub id (the authors' repository is read at
    its pinned revision unless `revision` says otherwise). The threshold of the codes is `threshold`
    where given, else `running_threshold` of the config.json beside the file or of the model itself,
    else the published one if this is the published file. `weights_dtype` is float32 or float16.
    Nothing of the file is run; W is read through its map, so memory stays below 2 GB. Killed and
    run again it writes the same.

    Raises `BlindspotsError` for a file that is unsafe, damaged or another model, where no threshold
    is known, where `output_dir` holds another model, and where the Hub is needed and cannot be
    reached.
    """
    output_dir = Path(output_dir)
    if weights_dtype not in ("float32", "float16"):
        raise BlindspotsError(f"Weights are stored as float32 or float16, not {weights_dtype!r}.")
    dtype: Literal["float32", "float16"] = "float16" if weights_dtype == "float16" else "float32"
    yield Event("find the weights", 0, 1)
    file = locate(source, revision)
    read = read_published(file.path)
    sha256 = yield from _hashing(file.path)
    is_published = sha256 == paper.PUBLISHED_SHA256
    _check_source(file, sha256)
    _check_out(output_dir, file.path, sha256)
    chosen, threshold_origin = pick_threshold(threshold, file.path, read.threshold, is_published)
    config = RASAEConfig(
        d=read.d,
        n_concepts=read.n_concepts,
        sparsity="batch_topk",
        k=min(paper.TOP_K, read.n_concepts),
        threshold=chosen,
        layer_norm_eps=read.layer_norm_eps,
        relaxation=read.delta,
        backbone=paper.BACKBONE,
        origin=_origin(file, sha256, read),
        threshold_origin=threshold_origin,
        token_layout=TokenLayout(paper.CLASS_TOKENS, paper.REGISTERS, paper.PATCH_GRID),
    )
    if isinstance(read.dictionary, Archetypes):
        atoms = yield from fusing(read.dictionary, file.path)
    else:
        atoms = read.dictionary.float()
    yield Event("write the weights", 0, 1)
    sae = RASAE.from_weights(config, _weights(read, atoms))
    rounding = None
    if dtype == "float16":
        sae, rounding = _halved(sae, atoms if read.candidates is None else read.candidates)
    # Its origin first: what is stopped here is known as an import of this file, and written anew.
    write_json(output_dir / "config.json", sae.config.to_json())
    sae.save_pretrained(output_dir)
    write_published_card(
        output_dir,
        sae.config.to_json(),
        sha256,
        is_published,
        top_k=read.top_k,
        rounding=None if rounding is None else asdict(rounding),
    )
    yield Event("write the weights", 1, 1)
    return Imported(output_dir, sae.config, sha256, is_published, rounding)


def _hashing(path: Path) -> Work[str]:
    """Hex sha256 of a file, with an event every few megabytes."""
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with open(path, "rb") as handle:
        while block := handle.read(_HASH_BYTES):
            digest.update(block)
            done += len(block)
            yield Event("check the sha256 (MB)", done >> 20, total >> 20)
    return digest.hexdigest()


def _check_source(file: PublishedFile, sha256: str) -> None:
    """The authors' repository at the pinned revision holds one file; anything else is damage."""
    pinned = (paper.PUBLISHED_REPO, paper.PUBLISHED_REVISION)
    if (file.repo, file.revision) == pinned and sha256 != paper.PUBLISHED_SHA256:
        raise BlindspotsError(
            f"{file.path} should be the published {paper.PUBLISHED_FILE} and is not (its sha256 is "
            f"{sha256}): delete it from the cache and fetch it again."
        )


def _check_out(out: Path, source: Path, sha256: str) -> None:
    """Refuse to write over anything but an earlier import of the same file."""
    if out.resolve() == source.parent.resolve():
        raise BlindspotsError(
            f"{out} is the folder of the source, whose config.json would be overwritten: choose "
            "another --out."
        )
    taken = [name for name in _WRITTEN if (out / name).exists()]
    if not taken:
        return
    if "config.json" not in taken or sha256 not in str(
        read_json(out / "config.json").get("origin")
    ):
        raise BlindspotsError(
            f"{out} holds another model's {taken[0]}: choose an empty folder as --out."
        )


def _origin(file: PublishedFile, sha256: str, read: PublishedSAE) -> str:
    """Where the weights come from and what was done to them, for config.json and the card."""
    place = "a local file"
    if file.repo is not None:
        place = f"{file.repo} on the Hugging Face Hub, revision {file.revision or 'unknown'}"
    dictionary = "the fused dictionary stored in it taken as it is"
    if isinstance(read.dictionary, Archetypes):
        dictionary = "its dictionary fused from W, C, Relax and multiplier"
    return (
        f"imported by blindspots_hub from {file.path.name} (sha256 {sha256}), {place}; {dictionary}"
    )


def _weights(read: PublishedSAE, atoms: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "encoder.weight": read.encoder_weight,
        "encoder.bias": read.encoder_bias,
        "norm.weight": read.norm_weight,
        "norm.bias": read.norm_bias,
        "dictionary": atoms,
    }


def _halved(exact: RASAE, tokens: torch.Tensor) -> tuple[RASAE, RoundingError]:
    """The model rounded to float16, and what that changes on `tokens` (T, d)."""
    rounded = exact.stored_as("float16")
    if not all(torch.isfinite(tensor).all() for tensor in rounded.state_dict().values()):
        raise BlindspotsError(
            "Some weights are too large for float16: import them with --dtype float32."
        )
    return rounded, rounding_error(exact, rounded, tokens)
