"""`confounds`: what storing and resizing images alone would flag, measured and not assumed.

Generated images differ from natural ones in more than what they show: in how they were stored and
in how large they are. Here natural images are altered in just those ways and measured against
themselves, exactly as a model's images are; whatever is flagged then is no blindspot of any model.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image, ImageEnhance, ImageFilter

from blindspots_hub.analysis.deltas import KINDS, ModelDeltas
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.data.identity import choose_pairs
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.delta import differs
from blindspots_hub.measure.settings import MeasureSettings
from blindspots_hub.measure.table import measure
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.loading import ImageLoader
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.sources import CaptionedImages, open_pairs
from blindspots_hub.utils.files import write_json

REPORT = "confounds.json"

_CODES = ".codes"
"""Folder of the codes below the output folder; kept, so that another alteration costs little."""


@dataclass(frozen=True)
class Alteration:
    """What is done to an image that shows the same: `jpeg` quality 1–95, `side` in pixels, …

    `side` scales the shorter side, bicubic, as a generator of that size would have drawn it; `blur`
    is the radius of a Gaussian in pixels, `contrast` a factor about the image's mean grey. Several
    may be given: the image is scaled, blurred, its contrast changed, then stored.
    """

    jpeg: int | None = None
    side: int | None = None
    blur: float | None = None
    contrast: float | None = None

    def __post_init__(self) -> None:
        if self.jpeg is not None and not 1 <= self.jpeg <= 95:
            raise BlindspotsError(f"JPEG quality {self.jpeg} is out of range: use 1 to 95.")
        if self.side is not None and not 16 <= self.side <= 4096:
            raise BlindspotsError(f"A side of {self.side} pixels is out of range: use 16 to 4096.")
        if self.blur is not None and not 0 < self.blur <= 50:
            raise BlindspotsError(f"A blur of {self.blur} pixels is out of range: use up to 50.")
        if self.contrast is not None and not 0 < self.contrast <= 4:
            raise BlindspotsError(
                f"A contrast of {self.contrast} is out of range: use a factor up to 4, 1 for none."
            )

    @property
    def name(self) -> str:
        """In words."""
        parts = [
            None if self.side is None else f"{self.side} px",
            None if self.blur is None else f"blur {self.blur:g} px",
            None if self.contrast is None else f"contrast {self.contrast:g}",
            None if self.jpeg is None else f"JPEG {self.jpeg}",
        ]
        return ", ".join(part for part in parts if part is not None) or "unchanged"

    def __call__(self, image: Image.Image) -> Image.Image:
        """The altered RGB image."""
        if self.side is not None:
            scale = self.side / min(image.size)
            size = (round(image.width * scale), round(image.height * scale))
            image = image.resize(size, Image.Resampling.BICUBIC)
        if self.blur is not None:
            image = image.filter(ImageFilter.GaussianBlur(self.blur))
        if self.contrast is not None:
            image = ImageEnhance.Contrast(image).enhance(self.contrast)
        if self.jpeg is not None:
            stored = io.BytesIO()
            image.save(stored, "JPEG", quality=self.jpeg)
            image = Image.open(stored).convert("RGB")
        return image


@dataclass(frozen=True)
class Confound:
    """What one alteration does: concepts judged, those that differ, those flagged by each δ."""

    alteration: str
    pairs: int
    judged: int
    differ: int
    flagged: dict[str, int]
    certain: dict[str, int]
    typical_gap: float
    """Median |r| over the concepts judged."""


@Call
def confounds(
    bundle: Bundle,
    output_dir: Path,
    alterations: Sequence[Alteration],
    *,
    pairs: int = 1000,
    seed: int = 0,
    pairs_from: str | None = None,
    device: str | None = None,
    settings: MeasureSettings | None = None,
) -> Work[list[Confound]]:
    """Measure natural images against themselves after each alteration, and write the report.

    The images are those of `bundle`, or of `pairs_from` as in `evaluate`; the concepts are the
    bundle's. Codes are kept below `output_dir`: run again it goes on where it was. Processes that
    `accelerate launch` started share the work; the first writes the report.
    """
    if not alterations:
        raise BlindspotsError("No alteration is named: give a JPEG quality or a side in pixels.")
    settings = settings or MeasureSettings()
    source = yield from open_pairs(pairs_from, bundle, seed, wanted=pairs)
    if not source.images_at_hand:
        raise BlindspotsError(
            f"{bundle.name} does not hold its natural images: name images of your own "
            "(--pairs-from)."
        )
    ids = choose_pairs(source.captions, pairs, seed)
    if len(ids) < 2:
        raise BlindspotsError(f"{len(ids)} image is too few to measure: give at least 2.")

    workers = Workers.join(device)
    work = _measured(bundle, output_dir, alterations, source, ids, seed, settings, workers)
    return (yield from workers.alone(output_dir, "confounds", work))


def _measured(
    bundle: Bundle,
    out: Path,
    alterations: Sequence[Alteration],
    source: CaptionedImages,
    ids: list[str],
    seed: int,
    settings: MeasureSettings,
    workers: Workers,
) -> Work[list[Confound]]:
    def natural(image_id: str) -> Image.Image:
        return open_image(source.image(image_id) or b"", f"the natural image of pair {image_id}")

    def altered(alteration: Alteration, image_id: str) -> Image.Image:
        return alteration(natural(image_id))

    session = yield from Session.opening(bundle, workers)
    coded = {}
    for alteration in (Alteration(), *alterations):
        images: dict[str, ImageLoader] = {i: partial(altered, alteration, i) for i in ids}
        folder = out / _CODES / alteration.name.replace(" ", "-").replace(",", "")
        stage = f"encode {alteration.name}"
        coded[alteration.name] = yield from session.encode(
            folder, images, stage, tokens=settings.tokens
        )
    untouched = coded.pop(Alteration().name)
    found = []
    for name, images_coded in coded.items():
        both = sorted(set(untouched.ids) & set(images_coded.ids))
        sides = [side.take(both).energies(settings.tokens) for side in (untouched, images_coded)]
        table = measure(sides[0], sides[1], settings, paired=True)
        found.append(_confound(name, table, len(both), settings))
    report = {
        "concept_space": bundle.concept_space,
        "settings": settings.to_dict(),
        "seed": seed,
        "confounds": [asdict(confound) for confound in found],
    }
    yield from session.workers.first(_write(out, report))
    return found


def _write(out: Path, report: dict[str, Any]) -> Work[None]:
    yield Event("write the report", 0, 1)
    write_json(out / REPORT, report)


def _confound(
    name: str, table: dict[str, np.ndarray], pairs: int, settings: MeasureSettings
) -> Confound:
    readings = {kind: ModelDeltas.of(pa.table(table), kind) for kind in KINDS}
    judged = readings["relative"].determined
    gaps = np.abs(table["relative_gap"][judged])
    gap = table["gap_low"], table["gap_high"]
    return Confound(
        alteration=name,
        pairs=pairs,
        judged=int(judged.sum()),
        differ=int(differs(table["q"], gap, settings.alpha).sum()),
        flagged={k: r.counts["suppressed"] + r.counts["exaggerated"] for k, r in readings.items()},
        certain={k: int(r.certain.sum()) for k, r in readings.items()},
        typical_gap=float(np.median(gaps)) if len(gaps) else 0.0,
    )
