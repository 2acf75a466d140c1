"""`combine`: bundles of one concept space become one, with their models side by side.

No table is computed anew, and none of a model is copied. Every model keeps its own pairs, so that
models measured on different pairs are compared concept by concept; pairs that several bundles have
are there once.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.energy_files import write_energies
from blindspots_hub.artifacts.inventory import files_to_copy
from blindspots_hub.artifacts.layout import (
    BACKBONE,
    GENERATIONS_PART,
    NATURAL,
    PAIRS_PART,
    SAE,
    energies_files,
    features_path,
    heatmaps_path,
    listed_files,
    token_codes_path,
)
from blindspots_hub.artifacts.manifest import FileEntry
from blindspots_hub.artifacts.merging import (
    NaturalImages,
    merged_heatmaps,
    merged_labels,
    merged_pairs,
    merged_thumbnails,
)
from blindspots_hub.artifacts.schema import (
    CONCEPTS,
    LABELS,
    NATURAL_IMAGES,
    PAIRS,
    SCHEMA_VERSION,
    THUMBNAILS,
    major,
)
from blindspots_hub.artifacts.stress_tables import SPECS as STRESS
from blindspots_hub.artifacts.stress_tables import joined, renamed
from blindspots_hub.artifacts.writer import write_manifest, write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.combined_models import Member, members_of, share_model, shared
from blindspots_hub.utils.files import copy_files, replace_folder
from blindspots_hub.utils.folder_lock import only_one_run

STAGE = "combine"
NAMED = 5
"""Pairs that an error names."""


@Call
def combine(
    bundles: Sequence[Bundle | str | Path],
    output_dir: str | Path,
    *,
    rename: bool = False,
    name: str = "combined",
) -> Work[Bundle]:
    """Write to `output_dir`, an empty or missing folder, one bundle of the models of all `bundles`.

    Each is a bundle, its folder, or NAMESPACE/NAME[@VERSION] on the Hub. Pairs, natural energies,
    heatmaps, thumbnails and labels are merged by pair, stress tests by concept and model; the map
    is that of the first bundle; findings are left out. What belongs to one model alone, and natural
    images that all bundles have alike, is not copied but has a second name (a hard link) on the
    same disk. A model that several bundles hold alike is there once; unlike ones of one name are
    refused, or with `rename` the later ones are called NAME-2, NAME-3.

    Raises `BlindspotsError` where the concept spaces differ, where two bundles hold other energies
    of one natural image, where a bundle is damaged; nothing is left at `output_dir` then.
    """
    output_dir = Path(output_dir).resolve()
    opened = [one if isinstance(one, Bundle) else load_bundle(one) for one in bundles]
    work = output_dir.parent / f".{output_dir.name}.combining"
    with only_one_run(output_dir, "combine"):
        if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
            raise BlindspotsError(f"{output_dir} is not empty: choose another folder.")
        shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
        try:
            yield from combining(opened, work, rename, name)
            replace_folder(work, output_dir)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return load_bundle(output_dir)


def combining(
    bundles: Sequence[Bundle], root: Path, rename: bool, name: str, replaced: str | None = None
) -> Work[None]:
    """Write the combined bundle to the new folder `root`, its manifest last.

    A model `replaced` of the first bundle gives way to that of another, in its place.
    """
    _check(bundles)
    members = members_of(bundles, rename, replaced)
    yield Event(STAGE, 0, len(members) + 1)
    for bundle in bundles:
        bundle.require(PAIRS_PART, GENERATIONS_PART if bundle.models else PAIRS_PART, SAE)
        bundle.fetch()
        bundle.check()
    natural_bundles = _unlike(bundles, _natural_files)
    natural = NaturalImages.of(natural_bundles)
    if natural.unlike:
        shown = ", ".join(natural.unlike[:NAMED])
        more = f" and {len(natural.unlike) - NAMED:,} more" if len(natural.unlike) > NAMED else ""
        raise BlindspotsError(
            f"The bundles hold other energies of the same natural images (pairs {shown}{more}): "
            "combine bundles that were measured alike, or evaluate one of them again."
        )
    first = bundles[0]
    known: dict[str, FileEntry] = {}
    for part in (SAE, BACKBONE):
        if part in first.parts:
            first.require(part)
            names = files_to_copy(first.root, first.manifest.files, (part,))
            copy_files(first.root, root, names)
    pairs = _unlike(bundles, lambda one: listed_files(one.manifest.files, PAIRS))
    if len(pairs) == 1:
        known |= shared(first, root, {n: n for n in listed_files(first.manifest.files, PAIRS)})
    else:
        write_table(root, PAIRS, merged_pairs(pairs))
    write_table(root, CONCEPTS, first.concept_columns)
    if len(natural_bundles) == 1:
        known |= shared(first, root, {name: name for name in _natural_files(first)})
    else:
        write_table(root, NATURAL_IMAGES, natural.columns())
        write_energies(root, NATURAL, natural.energies)
        if natural.features is not None:
            natural.features.save(features_path(root, NATURAL))
        if natural.token_codes is not None:
            natural.token_codes.save(token_codes_path(root, NATURAL))
    of_heatmaps = [heatmaps_path(Path(), NATURAL).as_posix()]
    with_heatmaps = _unlike(bundles, lambda one: [*of_heatmaps, NATURAL_IMAGES.path])
    merged_heatmaps(with_heatmaps, natural).save(heatmaps_path(root, NATURAL))
    for done, member in enumerate(members, start=1):
        yield Event(STAGE, done, len(members) + 1, {"model": member.name})
        known |= share_model(member, root, natural)
    called = [
        {NATURAL: NATURAL, **{m.own: m.name for m in members if m.bundle is bundle}}
        for bundle in bundles
    ]
    write_table(root, THUMBNAILS, merged_thumbnails(bundles, called))
    _write_stress_tests(bundles, members, root)
    labels = merged_labels(bundles)
    write_table(root, LABELS, {column: labels[column] for column in LABELS.names})
    write_manifest(root, _fields(bundles, members, name), known)
    yield Event(STAGE, len(members) + 1, len(members) + 1)


def _natural_files(bundle: Bundle) -> list[str]:
    """Files of a bundle that hold what was measured of its natural images."""
    places = (features_path, token_codes_path)
    listed = bundle.manifest.files
    names = [NATURAL_IMAGES.path, *(place(Path(), NATURAL).as_posix() for place in places)]
    return [*energies_files(listed, NATURAL), *(name for name in names if name in listed)]


def _unlike(bundles: Sequence[Bundle], names: Callable[[Bundle], list[str]]) -> list[Bundle]:
    """The first of all bundles whose files of these names have the same sha256."""
    found: dict[tuple[tuple[str, str], ...], Bundle] = {}
    for bundle in bundles:
        files = bundle.manifest.files
        key = tuple((name, files[name].sha256) for name in names(bundle) if name in files)
        found.setdefault(key, bundle)
    return list(found.values())


def _check(bundles: Sequence[Bundle]) -> None:
    if not bundles:
        raise BlindspotsError("Name at least one bundle to combine.")
    first = bundles[0]
    for bundle in bundles:
        if bundle.concept_space != first.concept_space:
            raise BlindspotsError(
                f"{bundle.root} was measured in another concept space than {first.root}, so their "
                "concepts cannot be compared: evaluate its models with --bundle of the other."
            )
        if major(bundle.manifest.schema_version) != major(SCHEMA_VERSION):
            raise BlindspotsError(
                f"{bundle.root} is of schema version {bundle.manifest.schema_version}: bring it to "
                "today's first (python -m blindspots_hub remeasure "
                f"{shlex.quote(str(bundle.root))} --out DIR)."
            )
    tokens = {bundle.tokens: bundle.root for bundle in bundles}
    if len(tokens) > 1:
        told = " and ".join(f"of {kind} tokens in {root}" for kind, root in sorted(tokens.items()))
        raise BlindspotsError(
            f"Energies are sums {told}: combine bundles that were measured with the same --tokens."
        )


def _write_stress_tests(bundles: Sequence[Bundle], members: Sequence[Member], root: Path) -> None:
    """Stress tests of all bundles; of two of one concept and model that of the first bundle."""
    parts = []
    for bundle in reversed(bundles):
        tables = {spec: bundle.optional(spec) for spec in STRESS}
        there = {spec: table for spec, table in tables.items() if table is not None}
        if len(there) == len(STRESS):
            called = {m.own: m.name for m in members if m.bundle is bundle}
            parts.append(renamed(there, called))
    if parts:
        for spec, table in joined(parts).items():
            write_table(root, spec, {column: table[column] for column in spec.names})


def _fields(bundles: Sequence[Bundle], members: Sequence[Member], name: str) -> dict[str, object]:
    licences = {bundle.manifest.licence for bundle in bundles}
    origins = [
        {"name": bundle.name, "version": bundle.version, "results": bundle.identity}
        for bundle in bundles
    ]
    return {
        "name": name,
        "version": "1.0.0",
        "concept_space": bundles[0].concept_space,
        "tokens": bundles[0].tokens,
        "models": [member.entry.to_json() for member in members],
        "combined_from": origins,
        **({"licence": licences.pop()} if len(licences) == 1 and None not in licences else {}),
    }
