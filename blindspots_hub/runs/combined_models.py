"""The models of a combined bundle: which there are, and their files, shared and not copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import (
    DELTAS_PART,
    energies_files,
    features_path,
    generation_energies_files,
    heatmaps_path,
    listed_files,
    token_codes_path,
)
from blindspots_hub.artifacts.manifest import FileEntry, ModelEntry
from blindspots_hub.artifacts.merging import (
    NaturalImages,
)
from blindspots_hub.artifacts.schema import (
    DELTAS,
    GENERATIONS,
    IMAGE_TEXT,
    OWN_NATURAL,
    PAIR_DISTANCES,
    TOKEN_FIRES,
)
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import share_or_copy


@dataclass(frozen=True)
class Member:
    """A model of the combined bundle: `own` is its name in the bundle it comes from."""

    bundle: Bundle
    own: str
    entry: ModelEntry

    @property
    def name(self) -> str:
        """Its name in the combined bundle."""
        return self.entry.name


def members_of(
    bundles: Sequence[Bundle], rename: bool, replaced: str | None = None
) -> list[Member]:
    """The models of the combined bundle, each once."""
    found: dict[str, Member] = {}
    for bundle in bundles:
        for own, entry in bundle.models.items():
            if bundle is bundles[0] and own == replaced:
                continue
            asked = entry.request or (bundle.manifest.request if len(bundle.models) == 1 else None)
            member = Member(bundle, own, replace(entry, request=asked))
            there = [one for one in found.values() if one.own == own]
            if any(_alike(one, member) for one in there):
                continue
            if there and not rename:
                raise BlindspotsError(
                    f"{there[0].bundle.root} and {bundle.root} hold different results of the model "
                    f"{own}: combine with --rename to keep both under names of their own."
                )
            name, number = own, 1
            while name in found:
                number += 1
                name = f"{own}-{number}"
            if name != own:
                title = f"{entry.title} ({bundle.name})"
                member = replace(member, entry=replace(member.entry, name=name, title=title))
            found[name] = member
    order = list(bundles[0].models)
    last = len(order)
    return sorted(
        found.values(), key=lambda one: order.index(one.name) if one.name in order else last
    )


def _alike(one: Member, other: Member) -> bool:
    """Whether two models are the same result: one entry, one set of pairs, the same energies."""
    bare = [replace(m.entry, name=m.own, title="", request=None) for m in (one, other)]
    if bare[0] != bare[1]:
        return False
    a, b = ((m.bundle, m.own) for m in (one, other))
    if a[0].image_ids(a[1]) != b[0].image_ids(b[1]):
        return False
    if a[0].natural_ids(a[1]) != b[0].natural_ids(b[1]):
        return False
    energies = [bundle.energies(name) for bundle, name in (a, b)]
    return all(
        np.array_equal(getattr(energies[0], part), getattr(energies[1], part))
        for part in ("indptr", "concepts", "energies")
    )


def share_model(member: Member, root: Path, natural: NaturalImages) -> dict[str, FileEntry]:
    """Files that belong to one model alone, as they are, and what the manifest says of them."""
    listed, names = member.bundle.manifest.files, {}
    for spec in (DELTAS, PAIR_DISTANCES, GENERATIONS, TOKEN_FIRES, IMAGE_TEXT):
        before = spec.path.split("{model}")[0]
        for own in listed_files(listed, spec, member.own):
            ending = own.removeprefix(f"{before}{member.own}")
            names[own] = f"{before}{member.name}{ending}"
    for files, kind in ((energies_files, "energies"), (generation_energies_files, "generations")):
        before = f"{DELTAS_PART}/{kind}/"
        for own in files(listed, member.own):
            names[own] = f"{before}{member.name}{own.removeprefix(f'{before}{member.own}')}"
    for place in (heatmaps_path, features_path, token_codes_path):
        own = place(Path(), member.own).as_posix()
        if own in listed:
            names[own] = place(Path(), member.name).as_posix()
    known = shared(member.bundle, root, names)
    ids = member.bundle.natural_ids(member.own)
    if not member.entry.paired and ids != natural.ids:
        write_table(root, OWN_NATURAL, {"pair_id": ids}, member.name)
    return known


def shared(bundle: Bundle, root: Path, names: Mapping[str, str]) -> dict[str, FileEntry]:
    """Make files of a bundle, by their names there and here, files of `root` too.

    They are hard links where the disk has them, so that nothing is copied: whoever looks finds
    files, and no file of a bundle is ever written in place. Returns what the manifest says of them.
    """
    for own, name in names.items():
        share_or_copy(bundle.root / own, root / name)
    return {name: bundle.manifest.files[own] for own, name in names.items()}
