"""Codes of many images on disk, in shards that survive a kill and never mix configurations."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

import numpy as np

from blindspots_hub.concepts.codes import SparseCodes
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.coded import (
    BESIDE,
    CodedImages,
    Failure,
    KeptCodes,
    Shard,
    stacked_beside,
)
from blindspots_hub.measure.energies import ImageEnergies
from blindspots_hub.measure.features import ImageFeatures
from blindspots_hub.measure.sums import ImageSums
from blindspots_hub.utils.files import atomic, fingerprint

FORMAT = 5
"""Of a shard's file; part of its configuration, so that no shard of another one is ever read."""

_SUMS = ("indptr", "concepts", "energies")
"""Tensors of a shard, `energies_…`: concept energies over the patches of its images."""

CHECKSUM = "sha256"
"""Key of a shard's metadata: the hash of all else that it holds."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShardPart:
    """What a shard says of its images but their codes: ids of those that have some, why others have
    none, tensors of `coded.BESIDE` (None without any image), and the images' sums."""

    shard: int
    ids: list[str]
    failed: dict[str, Failure]
    beside: dict[str, np.ndarray] | None
    sums: ImageSums | None


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

    def ids_of(self, shard: int) -> list[str]:
        """The ids of one shard."""
        return self.ids[shard * self.shard_size : (shard + 1) * self.shard_size]

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
        self,
        shard: int,
        codes: Mapping[str, SparseCodes],
        failed: Mapping[str, Failure],
        thumbnails: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Write one shard: codes of the images that have some, causes of the others.

        `thumbnails` are files of the images that have codes; those without one have none.
        """
        from safetensors.numpy import save_file

        ids = [image_id for image_id in self.ids_of(shard) if image_id in codes]
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
        # Summed here, each process of several sums its own share.
        sums = (codes[image_id].energies(self.layout.patches) for image_id in ids)
        energies = ImageEnergies.stack(sums, self.n_concepts)
        tensors |= {f"energies_{name}": getattr(energies, name) for name in _SUMS}
        for name in BESIDE:
            found = stacked_beside([codes[image_id] for image_id in ids], name)
            if found is not None:
                tensors[name] = found
        if thumbnails:
            small = [thumbnails.get(image_id, b"") for image_id in ids]
            tensors["thumbnails"] = np.frombuffer(b"".join(small), np.uint8)
            tensors["thumbnail_ends"] = np.cumsum([len(one) for one in small], dtype=np.int64)
        causes = {i: [failure.cause, failure.reason] for i, failure in failed.items()}
        metadata = {"ids": json.dumps(ids), "failed": json.dumps(causes)}
        metadata[CHECKSUM] = _checksum(tensors, metadata)
        with atomic(self._path(shard)) as partial:
            save_file(tensors, partial, metadata=metadata)

    def load(self, shards: Sequence[int] | None = None, tokens: str | None = None) -> CodedImages:
        """Codes of `shards` (all unless said otherwise), in the order of the ids.

        Every shard is looked at, and summed over its `tokens` where these are named; its codes are
        read again when they are asked for.
        """
        every = range(len(self.shards)) if shards is None else shards
        return self.joined([self.part(shard, tokens) for shard in every])

    def part(self, shard: int, tokens: str | None = None) -> ShardPart:
        """What a shard says of its images without their codes, summed where `tokens` are named."""
        ids, tensors, failed = self._whole(shard)
        sums = None
        if tokens is not None:
            kept = self._shard(ids, tensors)
            energies = kept.energies

            def on_patches(row: int) -> tuple[np.ndarray, np.ndarray]:
                span = slice(int(energies.indptr[row]), int(energies.indptr[row + 1]))
                return energies.concepts[span], energies.energies[span]

            sums = ImageSums.of(kept.codes, self.layout, self.n_concepts, tokens, on_patches)
        beside = {name: tensors[name] for name in BESIDE if name in tensors} if ids else None
        return ShardPart(shard, ids, failed, beside, sums)

    def joined(self, parts: Sequence[ShardPart]) -> CodedImages:
        """The images of these parts, one after the other."""
        places = [(part.shard, row) for part in parts for row in range(len(part.ids))]
        stacks = [part.beside for part in parts if part.beside is not None]
        looks, features = (
            np.concatenate([stack[name] for stack in stacks])
            if stacks and all(name in stack for stack in stacks)
            else None
            for name in BESIDE
        )
        sums = [part.sums for part in parts if part.sums is not None]
        at = np.array(places, np.int64).reshape(-1, 2)
        return CodedImages(
            [image_id for part in parts for image_id in part.ids],
            KeptCodes(at[:, 0], at[:, 1], self.read),
            {image_id: failure for part in parts for image_id, failure in part.failed.items()},
            self.layout,
            self.n_concepts,
            looks,
            None if features is None else ImageFeatures.stacked(features),
            ImageSums.joined(sums) if sums and len(sums) == len(parts) else None,
        )

    def read(self, shard: int) -> Shard:
        """The codes and thumbnails of one shard."""
        ids, tensors, _ = self._whole(shard)
        return self._shard(ids, tensors)

    def _shard(self, ids: list[str], tensors: Mapping[str, np.ndarray]) -> Shard:
        indptr, concepts, values = (tensors[name] for name in ("indptr", "concepts", "values"))
        stacked, step = SparseCodes(indptr, concepts, values, self.n_concepts), self.layout.tokens
        codes = [stacked.rows(i * step, (i + 1) * step) for i in range(len(ids))]
        first, own, sums = (tensors[f"energies_{name}"] for name in _SUMS)
        energies = ImageEnergies(first, own, sums, self.n_concepts)
        if "thumbnails" not in tensors:
            return Shard(codes, energies, None)
        content, ends = tensors["thumbnails"].tobytes(), [0, *tensors["thumbnail_ends"].tolist()]
        return Shard(codes, energies, [content[first:last] for first, last in pairwise(ends)])

    def _whole(self, shard: int) -> tuple[list[str], dict[str, np.ndarray], dict[str, Failure]]:
        try:
            return self._read(shard)
        except (ValueError, KeyError) as error:
            raise BlindspotsError(
                f"{self._path(shard)} was damaged while the run was under way ({error}): run "
                "the same again, it is made anew."
            ) from error

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.safetensors"

    def _read(self, shard: int) -> tuple[list[str], dict[str, np.ndarray], dict[str, Failure]]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(shard), framework="np") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, UnicodeDecodeError) as error:
            raise ValueError(f"{self._path(shard)}: {error}") from error
        if metadata.get(CHECKSUM) != _checksum(tensors, metadata):
            raise ValueError(f"{self._path(shard)} is not as it was written: it is made anew")
        ids = json.loads(metadata["ids"])
        failed = {i: Failure(*told) for i, told in json.loads(metadata["failed"]).items()}
        if set(ids) | set(failed) != set(self.ids_of(shard)):
            raise ValueError(f"{self._path(shard)} holds other images")
        return ids, tensors, failed


def _checksum(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> str:
    """Hex sha256 over what a shard holds, so that a flipped bit is no other result."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).view(np.uint8).data)
    for key in ("ids", "failed"):
        digest.update(metadata.get(key, "").encode())
    return digest.hexdigest()
