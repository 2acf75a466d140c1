"""The token store: a backbone's tokens of many images on disk, in a format that is written down.

# Format, schema version 1

A store is a folder that holds

| file | holds |
| --- | --- |
| `tokens-00000.npy`, … | the shards: NumPy's format, little-endian, C order, (tokens, width) |
| `store.json` | what the store is, and every shard; written last, so only when all is there |
| `tokens-00000.json`, … | a shard's entry until the store is finished and `store.json` has it |

A shard holds whole images, one after the other, `layout.tokens` rows each: class token, registers,
patches row by row. Images that could not be read have no rows and are listed in the shard.

`store.json` is one object:

| name | type | meaning |
| --- | --- | --- |
| `schema_version` | int | 1 |
| `config` | object | what every token depends on, see below |
| `config_hash` | string | sha256 of `config` (`files.fingerprint`) |
| `shards` | list | an object for each shard, in order |

`config`: `backbone` (its Hub id, or the name of its folder), `backbone_revision`,
`backbone_fingerprint` (weights, configuration and preprocessing), `preprocessing` (as
preprocessor_config.json), `layout` (`cls`, `registers`, `grid`), `width`, `dtype` ("float16" or
"float32"), `n_images`, `images` (sha256 of the files' names and sizes in order), `images_a_shard`.

A shard: `file`, `images` (those in it), `tokens` (its rows), `bytes` (its size), `sha256` (of the
file), `config_hash` (of the store it was written for), `skipped` (objects with `image` and
`reason`).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import fingerprint, read_json

SCHEMA_VERSION = 1
MANIFEST = "store.json"

_TOLD = 5
"""Bad shards that one sentence names at most."""


class TokenStore:
    """The tokens of a store's images: an array (M, d) that is read from disk, row by row.

    `config` is the store's; `layout`, `width` and `n_images` (those that are in it) describe it.
    """

    def __init__(
        self, folder: Path, manifest: dict[str, Any], images: NDArray[np.int64] | None = None
    ) -> None:
        self.folder, self._manifest = folder, manifest
        self.config: dict[str, Any] = manifest["config"]
        grid = self.config["layout"]["grid"]
        self.layout = TokenLayout(
            self.config["layout"]["cls"], self.config["layout"]["registers"], (grid[0], grid[1])
        )
        self.width: int = self.config["width"]
        self._ends = np.cumsum([shard["tokens"] for shard in manifest["shards"]])
        stored = int(self._ends[-1]) // self.layout.tokens
        self._images = np.arange(stored) if images is None else images
        self._shard = lru_cache(maxsize=None)(self._map)

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """The store in `folder`.

        Raises `BlindspotsError` where it is unfinished, of another schema version, or lacks shards
        or holds some of a wrong size (all are named); `validate-tokens` reads every byte.
        """
        manifest = read_manifest(folder)
        if bad := [fault for shard in manifest["shards"] if (fault := size_fault(folder, shard))]:
            rest = f"; and {len(bad) - _TOLD} more" if len(bad) > _TOLD else ""
            raise BlindspotsError(
                f"The token store {folder} is damaged: {'; '.join(bad[:_TOLD])}{rest}; copy it "
                "again, or delete it and write it anew."
            )
        if not sum(shard["tokens"] for shard in manifest["shards"]):
            raise BlindspotsError(
                f"The token store {folder} holds no image that could be read: give others."
            )
        return cls(folder, manifest)

    @property
    def n_images(self) -> int:
        """Images whose tokens these are."""
        return len(self._images)

    @property
    def shape(self) -> tuple[int, int]:
        """(M, d)."""
        return len(self), self.width

    @property
    def fingerprint(self) -> str:
        """Identity of these tokens: the store's configuration and which images are meant."""
        chosen = fingerprint(self._images.tolist())
        return fingerprint([self._manifest["config_hash"], chosen])

    def images(self, chosen: NDArray[np.bool_]) -> TokenStore:
        """Only the images that `chosen` (n_images,) selects."""
        return TokenStore(self.folder, self._manifest, self._images[chosen])

    def __len__(self) -> int:
        return self.n_images * self.layout.tokens

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.floating]:
        """The rows that a slice or an array of row numbers selects, in the store's type."""
        wanted = np.arange(len(self))[rows] if isinstance(rows, slice) else np.asarray(rows)
        image, place = np.divmod(wanted, self.layout.tokens)
        wanted = self._images[image] * self.layout.tokens + place
        found = np.empty((len(wanted), self.width), self.config["dtype"])
        shards = np.searchsorted(self._ends, wanted, side="right")
        for shard in np.unique(shards):
            here = shards == shard
            tokens = self._shard(int(shard))
            found[here] = tokens[wanted[here] - (self._ends[shard] - len(tokens))]
        return found

    def _map(self, shard: int) -> NDArray[np.floating]:
        return open_shard(self.folder / self._manifest["shards"][shard]["file"])


def read_manifest(folder: Path) -> dict[str, Any]:
    """The content of a finished store's `store.json`.

    Raises `BlindspotsError` where there is none, it is of another schema version, or it lacks or
    contradicts something.
    """
    if not (folder / MANIFEST).is_file():
        raise BlindspotsError(
            f"{folder} is no finished token store ({MANIFEST} is missing): write one with "
            "`token-store`, or run the same command again to finish this one."
        )
    manifest = read_json(folder / MANIFEST)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise BlindspotsError(
            f"{folder / MANIFEST} has schema version {version!r}, this version of blindspots_hub "
            f"reads {SCHEMA_VERSION}: write the store anew."
        )
    if not _complete(manifest) or manifest["config_hash"] != fingerprint(manifest["config"]):
        raise BlindspotsError(
            f"{folder / MANIFEST} was changed after it was written: copy it again, or write the "
            "store anew."
        )
    return manifest


def _complete(manifest: dict[str, Any]) -> bool:
    match manifest:
        case {
            "config": {
                "layout": {"cls": int(), "registers": int(), "grid": [int(), int()]},
                "width": int(),
                "dtype": "float16" | "float32",
            },
            "config_hash": str(),
            "shards": [_, *_] as shards,
        }:
            names = {"file": str, "tokens": int, "bytes": int, "sha256": str, "config_hash": str}
            return all(
                isinstance(shard, dict)
                and all(isinstance(shard.get(name), kind) for name, kind in names.items())
                and Path(shard["file"]).name == shard["file"]
                for shard in shards
            )
    return False


def size_fault(folder: Path, shard: dict[str, Any]) -> str | None:
    """What is wrong with a shard by its size alone, None where nothing is."""
    path = folder / shard["file"]
    if not path.is_file():
        return f"{shard['file']} is missing"
    if (size := path.stat().st_size) != shard["bytes"]:
        return f"{shard['file']} has {size} bytes instead of {shard['bytes']}"
    return None


def open_shard(path: Path) -> NDArray[np.floating]:
    """A shard's tokens (tokens, width), mapped from disk; nothing in it is executed."""
    tokens: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    return tokens
