"""Codes of many images on disk, in shards that survive a kill and never mix configurations."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub.concepts.codes import ImageCodes, SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.settings import TOKENS
from blindspots_hub.measure.token_codes import IMAGES, TokenCodes
from blindspots_hub.utils.files import atomic, fingerprint

FORMAT = 4
"""Of a shard's file; part of its configuration, so that no shard of another one is ever read."""

CHECKSUM = "sha256"
"""Key of a shard's metadata: the hash of all else that it holds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """Why an image has no codes: the cause to count it by, and a sentence about this one."""

    cause: str
    reason: str


@dataclass(frozen=True)
class CodedImages:
    """Codes of images that have some, in the order of `ids`; `failed` names the others."""

    ids: list[str]
    codes: list[SparseCodes]
    failed: dict[str, Failure]
    layout: TokenLayout
    n_concepts: int
    looks: np.ndarray | None = None
    """How each image looks to its concept space (`concepts.domain`), where that was kept."""
    features: ImageFeatures | None = None
    """Tokens of each image, where they were kept."""

    @classmethod
    def of(
        cls,
        codes: Mapping[str, SparseCodes],
        failed: dict[str, Failure],
        layout: TokenLayout,
        n_concepts: int,
    ) -> CodedImages:
        """From the codes of every image, by id."""
        beside = {name: _stacked(list(codes.values()), name) for name in _BESIDE}
        return cls(list(codes), list(codes.values()), failed, layout, n_concepts, **_named(beside))

    def energies(self, tokens: str) -> ImageEnergies:
        """Concept energies ξ of every image over its `tokens` (METHOD: section 3)."""
        if tokens not in TOKENS:
            raise BlindspotsError(f"Tokens must be {' or '.join(TOKENS)}, not {tokens!r}.")
        chosen = self.layout.patches if tokens == "patches" else None
        return ImageEnergies.stack((c.energies(chosen) for c in self.codes), self.n_concepts)

    def token_fires(self) -> np.ndarray:
        """In how many images each concept fires on the class token, a register, a patch.

        int32 (3, n_concepts), whichever tokens energies sum.
        """
        counts = np.zeros((3, self.n_concepts), np.int32)
        first = self.layout.patches.start
        parts = (slice(0, self.layout.cls), slice(self.layout.cls, first), self.layout.patches)
        for codes in self.codes:
            for kind, part in enumerate(parts):
                start, stop = codes.indptr[part.start], codes.indptr[part.stop]
                counts[kind, np.unique(codes.concepts[start:stop])] += 1
        return counts

    def token_codes(self, ids: Sequence[str], tokens: str, images: int = IMAGES) -> TokenCodes:
        """Codes of the `tokens` that energies sum, of some images; `ids` decide of which."""
        patches = self.layout.patches

        def measured(row: int) -> SparseCodes:
            codes = self.codes[row]
            return codes.rows(patches.start, patches.stop) if tokens == "patches" else codes

        return TokenCodes.of(ids, measured, self.n_concepts, images)

    def heat(self, row: int, concept: int) -> tuple[np.ndarray, np.ndarray]:
        """Patches (indices, ascending) on which `concept` fires in image `row`, and the codes."""
        codes, patches = self.codes[row], self.layout.patches
        (here,) = (codes.concepts == concept).nonzero()
        tokens = codes.indptr.searchsorted(here, "right") - 1
        kept = (tokens >= patches.start) & (tokens < patches.stop)
        return tokens[kept] - patches.start, codes.values[here[kept]]

    def take(self, ids: Sequence[str]) -> CodedImages:
        """Keep the images named, in that order."""
        row = {image_id: i for i, image_id in enumerate(self.ids)}
        rows = [row[image_id] for image_id in ids]
        kept = [self.codes[i] for i in rows]
        return CodedImages(
            list(ids),
            kept,
            self.failed,
            self.layout,
            self.n_concepts,
            None if self.looks is None else self.looks[rows],
            None if self.features is None else self.features.take(np.array(rows, np.int64)),
        )


class CodeStore:
    """Shards of codes below `folder`, one file a run of `shard_size` ids.

    The shards of one configuration (concept space and ids) lie in a folder named by its hash: a
    changed configuration starts anew and never reads old shards. A shard is complete or absent.
    """

    def __init__(
        self,
        folder: Path,
        ids: Sequence[str],
        space: str,
        layout: TokenLayout,
        n_concepts: int,
        shard_size: int,
    ) -> None:
        self.ids = list(ids)
        self.layout = layout
        self.n_concepts = n_concepts
        self.shard_size = shard_size
        configuration = {
            "format": FORMAT,
            "space": space,
            "ids": self.ids,
            "shard_size": shard_size,
        }
        self.folder = folder / f"codes-{fingerprint(configuration)[:16]}"

    @property
    def shards(self) -> list[list[str]]:
        """The ids of every shard."""
        step = self.shard_size
        return [self.ids[i : i + step] for i in range(0, len(self.ids), step)]

    def has(self, shard: int) -> bool:
        """Whether shard number `shard` is written and as it was written.

        A damaged one is told in the log and counts for nothing, so that it is made anew.
        """
        try:
            self._read(shard)
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError) as error:
            _log.warning("%s is damaged and is made anew (%s).", self._path(shard), error)
            return False
        return True

    def write(
        self, shard: int, codes: Mapping[str, SparseCodes], failed: Mapping[str, Failure]
    ) -> None:
        """Write one shard: codes of the images that have some, causes of the others."""
        from safetensors.numpy import save_file

        ids = [image_id for image_id in self.shards[shard] if image_id in codes]
        if ids:
            stacked = SparseCodes.concatenate([codes[image_id] for image_id in ids])
        else:
            empty = np.zeros(0)
            stacked = SparseCodes(
                np.zeros(1, np.int64), empty.astype(np.int32), empty.astype(np.float32), 0
            )
        tensors: dict[str, np.ndarray] = {
            "indptr": np.ascontiguousarray(stacked.indptr),
            "concepts": np.ascontiguousarray(stacked.concepts),
            "values": np.ascontiguousarray(stacked.values),
        }
        for name in _BESIDE:
            found = _stacked([codes[image_id] for image_id in ids], name)
            if found is not None:
                tensors[name] = found
        causes = {i: [failure.cause, failure.reason] for i, failure in failed.items()}
        metadata = {"ids": json.dumps(ids), "failed": json.dumps(causes)}
        metadata[CHECKSUM] = _checksum(tensors, metadata)
        with atomic(self._path(shard)) as partial:
            save_file(tensors, partial, metadata=metadata)

    def load(self, shards: Sequence[int] | None = None) -> CodedImages:
        """Codes of `shards` (all unless said otherwise), in the order of the ids."""
        ids: list[str] = []
        codes: list[SparseCodes] = []
        failed: dict[str, Failure] = {}
        parts: list[dict[str, np.ndarray]] = []
        for shard in range(len(self.shards)) if shards is None else shards:
            try:
                shard_ids, stacked, shard_failed, beside = self._read(shard)
            except (ValueError, KeyError) as error:
                raise BlindspotsError(
                    f"{self._path(shard)} was damaged while the run was under way ({error}): run "
                    "the same again, it is made anew."
                ) from error
            step = self.layout.tokens
            codes += [stacked.rows(i * step, (i + 1) * step) for i in range(len(shard_ids))]
            ids += shard_ids
            failed |= shard_failed
            if shard_ids:
                parts.append(beside)
        every = {
            name: np.concatenate([part[name] for part in parts])
            if parts and all(name in part for part in parts)
            else None
            for name in _BESIDE
        }
        return CodedImages(ids, codes, failed, self.layout, self.n_concepts, **_named(every))

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.safetensors"

    def _read(
        self, shard: int
    ) -> tuple[list[str], SparseCodes, dict[str, Failure], dict[str, np.ndarray]]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(shard), framework="np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, UnicodeDecodeError) as error:
            raise ValueError(f"{self._path(shard)}: {error}") from error
        if metadata.get(CHECKSUM) != _checksum(tensors, metadata):
            raise ValueError(f"{self._path(shard)} is not as it was written: it is made anew")
        indptr, concepts, values = (tensors[name] for name in ("indptr", "concepts", "values"))
        beside = {name: one for name, one in tensors.items() if name in _BESIDE}
        ids = json.loads(metadata["ids"])
        failed = {i: Failure(*told) for i, told in json.loads(metadata["failed"]).items()}
        if set(ids) | set(failed) != set(self.shards[shard]):
            raise ValueError(f"{self._path(shard)} holds other images")
        return ids, SparseCodes(indptr, concepts, values, self.n_concepts), failed, beside


def _checksum(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Hex sha256 over what a shard holds, so that a flipped bit is no other result."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).view(np.uint8).data)
    for key in ("ids", "failed"):
        digest.update(metadata.get(key, "").encode())
    return digest.hexdigest()


_BESIDE = {"looks": "look", "features": "features"}
"""Tensors of a shard beside the codes, and the fields of `ImageCodes` that they stack."""


def _stacked(codes: Sequence[SparseCodes], name: str) -> np.ndarray | None:
    """A tensor of `_BESIDE` over the images; None where one of them has none, or there are none."""
    rows = [getattr(one, _BESIDE[name]) for one in codes if isinstance(one, ImageCodes)]
    known = [row for row in rows if row is not None]
    return np.stack(known) if known and len(known) == len(codes) else None


def _named(beside: Mapping[str, np.ndarray | None]) -> dict[str, Any]:
    """The fields of `CodedImages` that the tensors of `_BESIDE` become."""
    features = beside["features"]
    stacked = None if features is None else ImageFeatures.stacked(features)
    return {"looks": beside["looks"], "features": stacked}
