"""`measure_folders`: natural and generated images of one's own, with no text-to-image model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.concepts.domain import Domain
from blindspots_hub.data.identity import pair_id
from blindspots_hub.data.images import open_image, read_image
from blindspots_hub.data.matching import Matched, match_folders
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.models import slug
from blindspots_hub.measure.coded import CodedImages
from blindspots_hub.measure.table import MeasureSettings
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.assemble import ModelImages, assemble
from blindspots_hub.runs.domain_check import domain_entry
from blindspots_hub.runs.encoding import coded_side
from blindspots_hub.runs.request import finished, work_folder
from blindspots_hub.runs.session import Session, Workers, copy_space
from blindspots_hub.utils.files import fingerprint, printable, sha256_file


@Call
def measure_folders(
    natural: str | Path,
    generated: str | Path,
    output_dir: str | Path,
    *,
    bundle: Bundle | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
) -> Work[Bundle]:
    """Measure generated against natural images and return the bundle written to `output_dir`.

    Images whose file names agree but for the ending are pairs; where hardly any do, the two sets
    are compared unpaired. The concepts are those of `bundle` (the embedded default). The images
    themselves are not copied into the bundle, only thumbnails. Processes that `accelerate launch`
    started share the work. Run again it goes on where it stopped.
    """
    natural, generated, output_dir = Path(natural), Path(generated), Path(output_dir)
    base = bundle or load_bundle(planted.BUNDLE)
    settings = settings or MeasureSettings()
    matched = match_folders(natural, generated)
    files = _by_id(matched)
    request = _request(files, base, settings)
    workers = Workers.join(device)
    work = _measured(base, workers, settings, request, matched, files, output_dir)
    return (yield from workers.alone(output_dir, f"measure {generated.name}", work))


def _measured(
    base: Bundle,
    workers: Workers,
    settings: MeasureSettings,
    request: str,
    matched: Matched,
    files: dict[str, dict[str, Path]],
    out: Path,
) -> Work[Bundle]:
    if found := finished(out, request):
        return found
    if told := _unusual(matched):
        yield Event("look through the folders", 1, 1, {"warning": told})
    session = yield from Session.opening(base, workers)
    coded = {}
    for side, paths in files.items():
        images = {i: partial(open_image, path) for i, path in paths.items()}
        folder = work_folder(out, request) / side
        coded[side] = yield from session.encode(
            folder, images, f"encode {side} images", side, settings.tokens
        )
    work = _write(out, base, settings, request, matched, files, coded, session.space.domain)
    return (yield from session.workers.bundle(out, work, request))


def _request(files: dict[str, dict[str, Path]], base: Bundle, settings: MeasureSettings) -> str:
    return fingerprint(
        {
            "files": {
                side: {image_id: sha256_file(path) for image_id, path in paths.items()}
                for side, paths in files.items()
            },
            "space": base.concept_space,
            "settings": settings.to_dict(),
        }
    )


def _by_id(matched: Matched) -> dict[str, dict[str, Path]]:
    """Files of both sides by image id, ascending; a pair's two images share an id."""
    files = {}
    for side, paths in (("natural", matched.natural), ("generated", matched.generated)):
        named = zip(matched.natural if matched.paired else paths, paths, strict=True)
        files[side] = dict(sorted((pair_id(i.stem, read_image(i)), path) for i, path in named))
    return files


def _unusual(matched: Matched) -> str:
    """What is to be told of the folders before anything is encoded; "" where nothing is."""
    told = [f"{count:,} {cause}" for cause, count in matched.left_out.items()]
    sentences = [f"Files of the two folders are left out: {', '.join(told)}."] if told else []
    names = [path.name for path in (*matched.natural, *matched.generated)]
    strange = [name for name in names if printable(name) != name]
    if strange:
        sentences.append(
            f"The names of {len(strange):,} images are not UTF-8: they stand in the result as "
            f"{printable(strange[0])!r} does."
        )
    return " ".join(sentences)


@dataclass(frozen=True)
class _Kept:
    """Images of both sides that are measured, and the cause of every other by side and id."""

    coded: dict[str, CodedImages]
    out: dict[str, dict[str, str]]

    @classmethod
    def of(cls, coded: dict[str, CodedImages], paired: bool) -> _Kept:
        causes = {
            side: {image_id: f"{side}_{one.cause}" for image_id, one in images.failed.items()}
            for side, images in coded.items()
        }
        if not paired:
            return cls(coded, causes)
        # A pair is left out once: by its natural image's cause where both sides have one.
        out = causes["generated"] | causes["natural"]
        both = sorted(set(coded["natural"].ids) & set(coded["generated"].ids))
        return cls(
            {side: images.take(both) for side, images in coded.items()},
            {"natural": out, "generated": out},
        )

    def dropped(self, matched: Matched) -> dict[str, int]:
        """How many pairs, or images where unpaired, each cause took out."""
        counts = Counter(self.out["generated"].values())
        if matched.paired:
            counts["natural_unmatched"] = matched.unmatched_natural
            counts["generated_unmatched"] = matched.unmatched_generated
        else:
            counts.update(self.out["natural"].values())
        return {cause: n for cause, n in sorted(counts.items()) if n}


def _write(
    out: Path,
    base: Bundle,
    settings: MeasureSettings,
    request: str,
    matched: Matched,
    files: dict[str, dict[str, Path]],
    found: dict[str, CodedImages],
    domain: Domain | None,
) -> Work[None]:
    copy_space(base, out)
    kept = _Kept.of(found, matched.paired)
    coded = kept.coded
    for side, images in coded.items():
        if len(images.ids) < 2:
            reasons = [one.reason for one in images.failed.values()]
            raise BlindspotsError(
                f"Only {len(images.ids)} {side} images can be measured, for example: "
                f"{(reasons or ['they have no counterpart'])[0]}"
            )
    captions = {
        side: {image_id: printable(path.stem) for image_id, path in paths.items()}
        for side, paths in files.items()
    }
    openers = {
        side: {image_id: partial(open_image, path) for image_id, path in paths.items()}
        for side, paths in files.items()
    }
    sides = {
        side: coded_side(coded[side], captions[side], openers[side], settings.tokens)
        for side in coded
    }
    folder = matched.generated[0].parent
    name = slug(folder.resolve().name)
    drawn = list(files["generated"])
    model = ModelImages(
        name=name if name != "natural" else "generated",
        title=printable(folder.resolve().name),
        side=sides["generated"],
        natural_rows=np.arange(len(coded["natural"].ids)) if matched.paired else None,
        generations=_image_columns(drawn, files["generated"])
        | {
            "draw": [0] * len(drawn),
            "seed": [None] * len(drawn),
            "flags": [[] for _ in drawn],
            "status": [kept.out["generated"].get(image_id, "ok") for image_id in drawn],
        },
        run={
            "source": "folders",
            **({"skipped": dict(matched.left_out)} if matched.left_out else {}),
        },
        dropped=kept.dropped(matched),
        domain=domain_entry(domain, coded),
    )
    natural = coded["natural"].ids
    pairs = _image_columns(natural, files["natural"]) | {
        "caption": [captions["natural"][image_id] for image_id in natural],
        "url": [None] * len(natural),
        "image_size": [files["natural"][image_id].stat().st_size for image_id in natural],
    }
    identity = {
        "name": f"{model.name}-measured",
        "version": "1.0.0",
        "concept_space": base.concept_space,
        "request": request,
        **({"skipped": dict(matched.left_out)} if matched.left_out else {}),
    }
    yield from assemble(
        out,
        identity,
        pairs,
        base.concept_columns,
        sides["natural"],
        [model],
        settings,
        base.label_table,
    )


def _image_columns(ids: list[str], files: dict[str, Path]) -> dict[str, Any]:
    return {
        "pair_id": ids,
        "image": [None] * len(ids),
        "image_sha256": [sha256_file(files[image_id]) for image_id in ids],
    }
