"""`evaluate-sae`: what one trained RA-SAE is worth, and whether several agree."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blindspots_hub.concepts.quality.atoms import atom_cosines
from blindspots_hub.concepts.quality.hull import fitted_scale, hull_distances
from blindspots_hub.concepts.quality.reconstruction import Reconstruction
from blindspots_hub.concepts.quality.stability import Run, stability
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.concepts.tokens.store import MANIFEST, TokenStore
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import pick_device
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.train_sae import HELD_OUT, RECORD, token_store
from blindspots_hub.utils.files import fingerprint, read_json, write_json

HULL_ATOMS = 256
"""Atoms whose distance from the hull is solved; of a larger dictionary a random sample."""

HULL_POINTS = 2048
"""Tokens whose hull it is where no points are given; of more a random sample."""

_SCALE_ATOMS = 64
"""Of these atoms, those that the scale is fitted to."""

_CHUNK = 4096
_FACTS = {"seed": int, "tokens": dict, "config": dict}


@dataclass(frozen=True)
class Evaluation:
    """Numbers by name, a dictionary for each model and one for each two of them; notes in words."""

    models: list[dict[str, Any]]
    stability: list[dict[str, Any]]

    def text(self) -> str:
        """A table of the models, and a line for every two."""
        columns = {
            "R²": ("r2", ".3f"),
            "codes a token": ("l0", ".2f"),
            "dead": ("dead_share", ".1%"),
            "nearest atom, median cosine": ("nearest_q50", ".3f"),
            "nearest > 0.9": ("nearest_over_0.9", ".1%"),
            "coherence": ("coherence", ".3f"),
            "mean abs. cosine": ("mean_absolute_cosine", ".3f"),
            "hull distance, median": ("hull_distance_median", ".3f"),
            "hull distance, max": ("hull_distance_max", ".3f"),
        }
        lines = []
        for model in self.models:
            lines.append(f"{model['model']} ({model['tokens_used']})")
            lines += [f"  {name:<28} {model[key]:{form}}" for name, (key, form) in columns.items()]
            lines.append(
                f"  hull of {model['hull_points']}, atoms divided by {model['hull_scaling']}"
            )
        for pair in self.stability:
            bound = "" if pair["exact"] else f" (the optimum is at most {pair['upper_bound']:.4f})"
            verdict = {True: "independent", False: "NOT independent", None: "not known"}
            lines.append(
                f"{pair['first']} and {pair['second']}: mean matched cosine "
                f"{pair['mean_cosine']:.4f}{bound}, {pair['matched_over_0.9']:.1%} over 0.9; "
                f"{verdict[pair['independent']]}: {pair['why']}"
            )
        if any(pair["independent"] is not True for pair in self.stability):
            lines.append("Agreement of runs that did not begin independently shows no stability.")
        return "\n".join(lines)

    def write(self, path: Path) -> None:
        """Write all numbers as JSON."""
        write_json(path, {"models": self.models, "stability": self.stability})


@Call
def evaluate_sae(
    models: Sequence[str],
    tokens: Path,
    backbone: str | None = None,
    points: Path | None = None,
    device: str | None = None,
) -> Work[Evaluation]:
    """Evaluate trained RA-SAEs, folders or Hub ids, on a token store or a folder of images.

    Images need a `backbone`. A model that was trained on this very store is measured on the images
    that its training kept out. `points` (.npy, (p, d)): candidate points whose hull the atoms are
    held against; None = a sample of the tokens. Raises `BlindspotsError` for tokens of another
    backbone than a model's, and for files that cannot be used.
    """
    chosen = pick_device(device)
    saes = {name: RASAE.from_pretrained(name).to(chosen) for name in models}
    records = {name: _record(name) for name in models}
    given = None if points is None else _points(points)
    with tempfile.TemporaryDirectory() as work:
        if (tokens / MANIFEST).is_file():
            store = TokenStore.open(tokens)
        elif backbone is None:
            raise BlindspotsError(
                f"{tokens} is no token store: write one with `token-store`, or name the backbone "
                "of the images in it with --backbone."
            )
        else:
            store = yield from token_store(tokens, backbone, Path(work) / "t", "float32", chosen)
        found = []
        for name, sae in saes.items():
            _same_backbone(name, sae, store)
            found.append((yield from _one(name, sae, records[name], store, given)))
    runs = [_run(name, saes[name].dictionary, records[name]) for name in saes]
    pairs = (yield from stability(runs)) if len(runs) > 1 else []
    return Evaluation(found, [pair.summary() for pair in pairs])


def _one(
    name: str,
    sae: RASAE,
    record: dict[str, Any] | None,
    store: TokenStore,
    given: NDArray[np.float32] | None,
) -> Work[dict[str, Any]]:
    used, which = store, f"all {len(store):,} tokens"
    if record is not None and record["tokens"] == store.config:
        used = store.images(np.arange(store.n_images) % HELD_OUT == 0)
        which = f"{len(used):,} tokens of images that training kept out"
    counted = Reconstruction(sae)
    for start in range(0, len(used), _CHUNK):
        counted.add(torch.from_numpy(used[start : start + _CHUNK]))
        yield Event(f"encode and decode with {name}", min(len(used), start + _CHUNK), len(used))
    cosines = yield from atom_cosines(sae.dictionary, sae.config.k)
    rng = np.random.default_rng(0)
    rows = rng.permutation(cosines.atoms)[:HULL_ATOMS]
    atoms = sae.dictionary[torch.from_numpy(rows).to(sae.dictionary.device)]
    if given is None:
        sample = np.sort(rng.permutation(len(store))[:HULL_POINTS])
        given, hull = np.asarray(store[sample], np.float32), f"{len(sample):,} of the tokens"
    else:
        hull = f"the {len(given):,} points given"
    corners = torch.from_numpy(given).to(sae.dictionary.device)
    scale = yield from fitted_scale(atoms[:_SCALE_ATOMS], corners)
    distances = yield from hull_distances(atoms, corners, scale)
    return {
        "model": name,
        "tokens_used": which,
        **counted.quality(),
        **cosines.summary(),
        **distances.summary(),
        "hull_atoms": len(rows),
        "hull_points": hull,
        "hull_scaling": f"{scale:.4g}, the scale that fits best",
    }


def _run(name: str, dictionary: torch.Tensor, record: dict[str, Any] | None) -> Run:
    """What training.json tells of a model's beginning.

    The candidate points follow from the tokens, the seed and these settings alone, so these are
    their identity.
    """
    if record is None:
        return Run(name, dictionary)
    config = record["config"]
    kmeans = [config.get(key) for key in ("n_centroids", "kmeans_steps", "batch")]
    return Run(
        name, dictionary, record["seed"], fingerprint([record["tokens"], record["seed"], kmeans])
    )


def _record(model: str) -> dict[str, Any] | None:
    """training.json of a model's folder; None where it is absent or not of this version."""
    path = Path(model) / RECORD
    if not path.is_file():
        return None
    record = read_json(path)
    known = all(isinstance(record.get(name), kind) for name, kind in _FACTS.items())
    return record if known else None


def _same_backbone(name: str, sae: RASAE, store: TokenStore) -> None:
    own, other = sae.config.backbone_fingerprint, store.config["backbone_fingerprint"]
    if sae.config.d != store.width or (own and other and own != other):
        raise BlindspotsError(
            f"{name} reads tokens of {sae.config.backbone} (width {sae.config.d}), and these are "
            f"of {store.config['backbone']} (width {store.width}): give tokens of its backbone."
        )


def _points(path: Path) -> NDArray[np.float32]:
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BlindspotsError(
            f"{path} cannot be read as points ({error}): give a .npy file of shape (points, width)."
        ) from None
    if not isinstance(points, np.ndarray) or points.ndim != 2 or points.dtype.kind not in "fiu":
        raise BlindspotsError(
            f"{path} does not hold points: give a .npy file of numbers, of shape (points, width)."
        )
    return points.astype(np.float32)
