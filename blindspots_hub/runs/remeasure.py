"""`remeasure`: every δ table of a bundle anew from its kept energies, with no network and no GPU.

Other thresholds of certainty, another τ or a newer version of this program need no image: the
bundle's per-image energies are all that its tables are computed from. A bundle of an older schema
becomes one of today's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.inventory import files_to_copy
from blindspots_hub.artifacts.layout import FINDINGS, MANIFEST, PARTS
from blindspots_hub.artifacts.schema import LABELS
from blindspots_hub.artifacts.writer import write_manifest
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.tables import EnergyPair, write_tables
from blindspots_hub.utils.files import copy_files
from blindspots_hub.utils.folder_lock import only_one_run

ANEW = ("schema_version", "created_with", "packages", "files", "models", "request", "results")
"""What a manifest says that does not stay as it is: the rest does."""


@Call
def remeasure(bundle: Bundle, output_dir: Path, changes: dict[str, Any]) -> Work[Bundle]:
    """Write to `output_dir`, an empty or missing folder, the bundle with its tables computed anew.

    `changes` are fields of `MeasureSettings`; what they leave out stays as each model was measured.
    Which tokens an energy sums cannot change: the energies are summed already.
    """
    with only_one_run(output_dir, f"remeasure {bundle.name}"):
        return (yield from _remeasured(bundle, output_dir, changes))


def _remeasured(bundle: Bundle, out: Path, changes: dict[str, Any]) -> Work[Bundle]:
    if (out / MANIFEST).exists():
        raise BlindspotsError(f"{out} holds a bundle already: choose another folder.")
    bundle.require(*sorted(bundle.parts))  # of a bundle of the Hub only some are here
    bundle.fetch()
    bundle.check()  # what is copied gets a new manifest, which vouches for it
    here = [part for part in PARTS if (bundle.root / part).is_dir()]
    names = files_to_copy(bundle.root, bundle.manifest.files, here, list(bundle.models))
    # Findings are answers to the tables of before.
    kept = [name for name in names if not name.startswith(f"{FINDINGS}/")]
    if bundle.optional(LABELS) is None:  # of another version, which this one's manifest is not of
        kept = [name for name in kept if name != LABELS.path]
    copy_files(bundle.root, out, kept)
    entries = []
    for done, (name, model) in enumerate(bundle.models.items()):
        yield Event("compute tables", done, len(bundle.models), {"model": name})
        generation_energies = bundle.generation_energies(name)
        share = bundle.deltas(name)["sampler_share"]  # of generations that old bundles don't keep
        compared = EnergyPair(
            *bundle.compared(name),
            bundle.natural_ids(name),
            bundle.image_ids(name),
            model.paired,
            generation_energies,
            share.to_numpy() if generation_energies is None else None,
        )
        settings = replace(model.measured_with, **changes)
        written = write_tables(out, name, compared, settings)
        entries.append({**replace(model, request=None).to_json(), **written.entry})
        del compared, generation_energies
        bundle.let_go()  # else the energies of every model stay in memory
    fields = {key: value for key, value in bundle.manifest.to_json().items() if key not in ANEW}
    told = {"tokens": bundle.tokens, "remeasured_from": bundle.sha256}
    write_manifest(out, {**fields, "models": entries, **told})
    yield Event("compute tables", len(bundle.models), len(bundle.models))
    return load_bundle(out)
