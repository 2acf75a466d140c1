"""Two folders of images, one natural and one generated, put side by side."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blindspots_hub.data.listing import ImageListing, image_listing
from blindspots_hub.errors import BlindspotsError

MIN_IMAGES = 2
"""Fewest images a side: of a single one no spread, and so no uncertainty, is known."""


@dataclass(frozen=True)
class Matched:
    """Images of two folders.

    Where `paired`, `natural[i]` and `generated[i]` have the same stem, and the two counts say how
    many images have no partner (they are left out). Otherwise both tuples hold every image of
    their folder, in the order of their names, and only means can be compared.
    """

    natural: tuple[Path, ...]
    generated: tuple[Path, ...]
    paired: bool
    unmatched_natural: int
    unmatched_generated: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Files of the two folders that are not read, by side and cause."""


def match_folders(natural: Path, generated: Path) -> Matched:
    """Pair the images of two folders by file stem ("0012.jpg" with "0012.png").

    They are paired where at least half of the smaller side finds its stem on the other side, and
    at least `MIN_IMAGES` do. Raises `BlindspotsError` where a folder holds fewer than `MIN_IMAGES`
    images, both are the same folder, or a stem that should be paired stands twice on one side.
    """
    if natural.resolve() == generated.resolve():
        raise BlindspotsError(
            f"{natural} was given for both sides: give one folder of natural images and another "
            "of generated ones."
        )
    listings = {"natural": _enough(natural), "generated": _enough(generated)}
    left_out = {
        f"{side}_{cause}": count
        for side, listing in listings.items()
        for cause, count in listing.left_out.items()
    }
    left, right = (listing.images for listing in listings.values())
    ours, theirs = _by_stem(left), _by_stem(right)
    common = sorted(set(ours) & set(theirs))
    if len(common) < MIN_IMAGES or 2 * len(common) < min(len(ours), len(theirs)):
        return Matched(tuple(left), tuple(right), False, len(left), len(right), left_out)
    return Matched(
        natural=tuple(_only(ours[stem]) for stem in common),
        generated=tuple(_only(theirs[stem]) for stem in common),
        paired=True,
        unmatched_natural=len(left) - len(common),
        unmatched_generated=len(right) - len(common),
        left_out=left_out,
    )


def _enough(folder: Path) -> ImageListing:
    listing = image_listing(folder)
    if len(listing.images) < MIN_IMAGES:
        raise BlindspotsError(
            f"{folder} holds a single image: give at least {MIN_IMAGES} on each side, and some "
            "hundreds for a result that means something."
        )
    return listing


def _by_stem(images: list[Path]) -> dict[str, list[Path]]:
    stems: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        stems[unicodedata.normalize("NFC", image.stem)].append(image)
    return stems


def _only(images: list[Path]) -> Path:
    if len(images) > 1:
        raise BlindspotsError(
            f"{images[0]} and {images[1].name} have the same stem, so that it is not clear which "
            "one is the pair's image: rename or remove one of them."
        )
    return images[0]
