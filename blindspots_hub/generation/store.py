"""Generated images on disk: shards that survive a kill and hold the images of one model only.

A store is a folder of parquet shards, each whole or absent, and `generations.json`, which tells how
its images were made. Until all images of a shard are there they lie one by one in a hidden folder
beside, so that a kill loses at most the images in flight.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Outcome
from blindspots_hub.generation.image_files import GeneratedImage, SingleImages
from blindspots_hub.generation.plan import FORMAT, Encoding, Plan
from blindspots_hub.generation.shards import (
    captions_of,
    failed_in,
    plan_of,
    read_shard,
    write_shard,
)
from blindspots_hub.progress import Event, Work
from blindspots_hub.utils.files import read_json, sweep, write_json

ABOUT = "generations.json"
"""How the images of a store were made: `name` and `title` of the model, `how` and `encoding` as in
`Plan`, `num_images_per_prompt`, `pairs`, `pairs_a_shard`, `shards`, the fingerprint `plan`, and
`run`, which a bundle's manifest says of the pipeline."""

_SINGLE = ".work"
"""Hidden folder of images whose shard is not whole yet."""

_IN_MEMORY = 4
"""Shards that are in memory at once: images are read in their order, more or less."""

_SHARDS = "*-of-*.parquet"

_log = logging.getLogger(__name__)


class GenerationStore:
    """The images of a plan, in a folder; `put` and `pack` are for distinct shards at once."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Raises `BlindspotsError` where `folder` holds other images than those of `plan`."""
        self.folder, self.plan = folder, plan
        self._single = SingleImages(folder / _SINGLE, plan.encoding.suffix)
        self._whole: set[int] = set()
        self._read: OrderedDict[int, Mapping[str, GeneratedImage]] = OrderedDict()
        self._lock = Lock()
        self._check()

    @classmethod
    def open(cls, folder: Path) -> GenerationStore:
        """The finished store in `folder`, whatever model it is of.

        Raises `BlindspotsError` where there is none, or where some of its images are missing.
        """
        if not (folder / ABOUT).is_file():
            raise BlindspotsError(
                f"{folder} holds no generated images (no {ABOUT}): give the folder that `generate` "
                "wrote."
            )
        about = _about(folder)
        paths = [path for path in _shards(folder) if plan_of(path) == about["plan"]]
        if len(paths) != about["shards"]:
            raise BlindspotsError(
                f"{folder} holds {len(paths)} of {about['shards']} shards: run the command that "
                "generates its images again, it goes on where it stopped."
            )
        captions = {pair_id: text for path in paths for pair_id, _, text in captions_of(path)}
        encoding = Encoding(about["encoding"]["quality"])
        plan = Plan(
            about["how"],
            captions,
            about["num_images_per_prompt"],
            encoding,
            pairs_a_shard=about["pairs_a_shard"],
        )
        if plan.fingerprint != about["plan"]:
            raise BlindspotsError(
                f"{folder} was altered: its images are not those that its {ABOUT} describes."
            )
        return cls(folder, plan)

    @property
    def about(self) -> dict[str, Any]:
        """What `ABOUT` says."""
        return _about(self.folder)

    @property
    def complete(self) -> bool:
        """Whether every shard is whole."""
        return all(map(self._is_whole, range(len(self.plan.shards))))

    @property
    def kept(self) -> int:
        """How many images are there, or known not to be."""
        return sum(map(self.has, self.plan.names))

    @property
    def failed(self) -> int:
        """How many images could not be drawn when that was tried last."""
        return len(self._single.failed()) + sum(map(failed_in, _shards(self.folder)))

    @property
    def _empty(self) -> bool:
        """Whether no image is there: then the folder is anybody's."""
        return not _shards(self.folder) and not len(self._single)

    def forget(self) -> None:
        """Read anew what another process may have changed."""
        self._whole.clear()
        self._read.clear()

    def set_aside_damaged(self) -> Work[None]:
        """Look at every shard that is there, and set aside those that are not as they were written.

        An event tells of each; its images are then made anew.
        """
        members = range(len(self.plan.shards))
        for shard in members:
            path = self._path(shard)
            if not path.is_file():
                continue
            try:
                found = read_shard(path)
                if set(found) == set(self.plan.shards[shard]) or not self._is_whole(shard):
                    continue
            except BlindspotsError as error:
                _log.warning("%s", error)
            os.replace(path, path.with_name(f".{path.name}.damaged"))
            self._whole.discard(shard)
            yield Event(
                "look at the images",
                shard,
                len(members),
                {"warning": f"{path.name} was damaged: its images are made anew."},
            )

    def begin(self, name: str, title: str, run: Mapping[str, Any]) -> Work[None]:
        """Make the folder ready for images of this model; before any is `put`, by one process.

        Images that a smaller plan left, of fewer captions or fewer a caption, stay and are not
        generated again; those that could not be drawn are no longer known, and will be tried again.
        Raises `BlindspotsError` where they are of another revision of the model.
        """
        plan, known = self.plan, self.about if (self.folder / ABOUT).is_file() else None
        if known is not None and not self._empty:
            if _revisions(known["run"]) != _revisions(run):
                raise BlindspotsError(
                    f"{self.folder} holds images of another revision of {title}: choose another "
                    "folder, or name that revision."
                )
            run = known["run"]
            sweep(self.folder)
            self._single.remove(self._single.failed())
            same = known["plan"] == plan.fingerprint
            earlier = [
                path
                for path in _shards(self.folder)
                if plan_of(path) == known["plan"] and not (same and not failed_in(path))
            ]
            for done, path in enumerate(earlier):
                yield Event("sort the images anew", done, len(earlier))
                for image, found in read_shard(path).items():
                    if found.content is not None:
                        self._single.put(image, found)
                path.unlink()
            self.forget()
        about = {
            "format": FORMAT,
            "name": name,
            "title": title,
            "how": dict(plan.how),
            "encoding": plan.encoding.to_json(),
            "num_images_per_prompt": plan.num_images_per_prompt,
            "pairs": len(plan.captions),
            "pairs_a_shard": plan.pairs_a_shard,
            "shards": len(plan.shards),
            "plan": plan.fingerprint,
            "run": dict(run),
        }
        write_json(self.folder / ABOUT, about)

    def has(self, name: str) -> bool:
        """Whether the image of this name is there, or known not to be."""
        return self._is_whole(self.plan.shard_of[name]) or self._single.has(name)

    def get(self, name: str) -> GeneratedImage | None:
        """The image of this name, None where it is not there; a damaged file is an error."""
        shard = self.plan.shard_of[name]
        return self._images(shard)[name] if self._is_whole(shard) else self._single.get(name)

    def put(self, name: str, outcome: Outcome) -> None:
        """Keep what became of an image."""
        self._single.put(name, GeneratedImage.of(outcome, self.plan.encoding))

    def pack(self, names: Iterable[str]) -> None:
        """Write the shards that hold any of these images and can be whole."""
        for shard in sorted({self.plan.shard_of[name] for name in names}):
            members = self.plan.shards[shard]
            if not self._is_whole(shard):
                found = [self._single.get(name) for name in members]
                images = [one for one in found if one is not None]
                if len(images) < len(members):
                    continue
                write_shard(self._path(shard), self.plan, members, images)
            self._single.remove(members)

    def finish(self) -> None:
        """Remove what killed processes left half written, and the hidden folder if it is empty."""
        sweep(self.folder)
        with suppress(OSError):  # not empty: it holds images that another plan generated
            self._single.folder.rmdir()

    def _check(self) -> None:
        if not (self.folder / ABOUT).is_file():
            if _shards(self.folder):
                raise BlindspotsError(
                    f"{self.folder} holds shards and no {ABOUT}, so that nobody knows whose images "
                    "they are: choose another folder."
                )
            return
        if self._empty:
            return
        about = self.about
        if other := self.plan.differences(about["how"], about["encoding"]):
            raise BlindspotsError(
                f"{self.folder} holds images of {about['title']} that were generated otherwise "
                f"({', '.join(other)}): choose another folder."
            )
        if about["plan"] == self.plan.fingerprint:
            return
        captions = self.plan.captions
        for path in _shards(self.folder):
            if plan_of(path) == about["plan"] and any(
                captions.get(pair_id) != text or number >= self.plan.num_images_per_prompt
                for pair_id, number, text in captions_of(path)
            ):
                raise BlindspotsError(
                    f"{self.folder} holds images of {about['title']} that are not asked for now, "
                    f"of {about['pairs']:,} captions, {about['num_images_per_prompt']} each: "
                    "ask for all of them, or choose another folder."
                )

    def _path(self, shard: int) -> Path:
        return self.folder / self.plan.file_of(shard)

    def _is_whole(self, shard: int) -> bool:
        path = self._path(shard)
        if not path.is_file():
            return False
        if shard not in self._whole and plan_of(path) == self.plan.fingerprint:
            self._whole.add(shard)
        return shard in self._whole

    def _images(self, shard: int) -> Mapping[str, GeneratedImage]:
        with self._lock:  # threads load images at once, mostly of one shard
            if shard not in self._read:
                self._read[shard] = read_shard(self._path(shard))
            self._read.move_to_end(shard)
            while len(self._read) > _IN_MEMORY:
                self._read.popitem(last=False)
            return self._read[shard]


_FIELDS: dict[str, type] = {
    **dict.fromkeys(("name", "title", "plan"), str),
    **dict.fromkeys(("how", "encoding", "run"), dict),
    **dict.fromkeys(("num_images_per_prompt", "pairs", "pairs_a_shard", "shards"), int),
}


def _about(folder: Path) -> dict[str, Any]:
    """What `ABOUT` in `folder` says; `BlindspotsError` where it cannot be what `begin` wrote."""
    about = read_json(folder / ABOUT)
    if about.get("format") != FORMAT:
        raise BlindspotsError(
            f"{folder} was written by another version of blindspots_hub: use that version."
        )
    wrong = [
        name
        for name, kind in _FIELDS.items()
        if not isinstance(about.get(name), kind) or (kind is int and not 0 < about[name] < 2**40)
    ]
    quality = about["encoding"].get("quality") if "encoding" not in wrong else None
    if not (quality is None or type(quality) is int):
        wrong.append("encoding")
    if "how" not in wrong and type(about["how"].get("seed")) is not int:
        wrong.append("how")
    if wrong:
        raise BlindspotsError(
            f"{folder / ABOUT} does not say what it should of {', '.join(wrong)}: take the folder "
            "that `generate` wrote."
        )
    return about


def _shards(folder: Path) -> list[Path]:
    return sorted(folder.glob(_SHARDS))


def _revisions(run: Mapping[str, Any]) -> list[Any]:
    return [run.get(key) for key in ("source", "revision", "unet_revision", "joined")]
