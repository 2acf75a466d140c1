"""Replicas of the authors' pickle: the same classes under the same names, without overcomplete.

The modules of overcomplete are made up for the moment of saving and are gone afterwards, so that a
reader that tried to import them would fail.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

_CLASSES = {
    "BatchTopKSAE": "overcomplete.sae.batchtopk_sae",
    "MLPEncoder": "overcomplete.sae.modules",
    "RelaxedArchetypalDictionary": "overcomplete.sae.archetypal_dictionary",
}


@contextmanager
def overcomplete_names() -> Iterator[types.SimpleNamespace]:
    """Classes that pickle under overcomplete's names, while the block runs."""
    names = ["overcomplete", "overcomplete.sae", *_CLASSES.values()]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    modules = {name: types.ModuleType(name) for name in names}
    made = {}
    for name, home in _CLASSES.items():
        made[name] = type(name, (nn.Module,), {"__module__": home, "__qualname__": name})
        setattr(modules[home], name, made[name])
    sys.modules.update(modules)
    try:
        yield types.SimpleNamespace(**made)
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)


def golden() -> dict[str, np.ndarray]:
    """The tensors, tokens and float64 results of tests/golden/make_published.py."""
    with np.load(Path(__file__).with_name("golden") / "published.npz") as stored:
        return dict(stored)


def write_replica(
    path: Path,
    tensors: Mapping[str, Any],
    *,
    wrapped: bool = True,
    fused: Any = None,
    training: bool = True,
    threshold: Any = None,
    change: Callable[[nn.Module], None] | None = None,
) -> Path:
    """Save an RA-SAE as overcomplete 0.3.0 does, attribute by attribute.

    `tensors` are named as in `golden`; `fused` is what `_fused_dictionary` holds; `change` may
    spoil the BatchTopKSAE before it is saved.
    """
    own = {name: torch.as_tensor(value) for name, value in tensors.items()}
    n, d = own["weight"].shape
    with overcomplete_names() as names:
        encoder = names.MLPEncoder()
        encoder.input_size, encoder.n_components, encoder.hidden_dim = d, n, d
        encoder.nb_blocks, encoder.residual = 1, False
        encoder.hidden_activation = encoder.output_activation = nn.ReLU
        encoder.norm_layer = nn.LayerNorm
        encoder.mlp_blocks = nn.ModuleList()
        with torch.device("meta"):
            encoder.final_block = nn.Sequential(nn.Linear(d, n), nn.LayerNorm(n))
        encoder.final_block[0].weight = nn.Parameter(own["weight"])
        encoder.final_block[0].bias = nn.Parameter(own["bias"])
        encoder.final_block[1].weight = nn.Parameter(own["gain"])
        encoder.final_block[1].bias = nn.Parameter(own["shift"])
        encoder.final_activation = nn.ReLU()

        dictionary = names.RelaxedArchetypalDictionary()
        dictionary.in_dimensions, dictionary.nb_concepts, dictionary.device = d, n, "cuda"
        dictionary.delta, dictionary.nb_candidates = 1.0, len(own["C"])
        dictionary.register_buffer("C", own["C"])
        for name in ("W", "Relax", "multiplier"):
            setattr(dictionary, name, nn.Parameter(own[name]))
        dictionary._fused_dictionary = None if fused is None else torch.as_tensor(fused)

        sae = names.BatchTopKSAE()
        sae.nb_concepts, sae.device, sae.fitted, sae._fitted_info = n, "cuda", False, {}
        sae.encoder, sae.dictionary = encoder, dictionary
        sae.top_k, sae.threshold_momentum, sae.running_threshold = 5 * 4096, 0.9, threshold
        if change is not None:
            change(sae)
        model = nn.DataParallel(sae) if wrapped else sae
        if wrapped:  # as on the authors' GPUs
            model.device_ids, model.output_device = [0, 1, 2], 0
            model.src_device_obj = torch.device("cuda:0")
        model.train(training)
        torch.save(model, path)
    return path


def write_threshold(folder: Path, threshold: Any = 0.829) -> None:
    """The config.json that lies beside the published pickle."""
    (folder / "config.json").write_text(json.dumps({"running_threshold": threshold}))


def rewrite_records(path: Path, change: Callable[[str, bytes], bytes], **how: Any) -> None:
    """Write the zip archive at `path` anew, each record's content changed by `change`."""
    with zipfile.ZipFile(path) as archive:
        records = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", **how) as archive:
        for name, content in records:
            archive.writestr(name, change(name, content))


def write_pickle(path: Path, content: bytes) -> Path:
    """An archive as torch writes it, around a pickle made by hand."""
    torch.save({"w": torch.zeros(4)}, path)
    rewrite_records(path, lambda name, old: content if name.endswith("data.pkl") else old)
    return path


class Calls:
    """Pickles as a call of `function`: what it does when it is loaded is up to `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def nested_pickle(function: Callable[..., Any], *arguments: Any) -> Calls:
    """A call of pickle.loads on another pickle, which is the one that calls `function`."""
    inner = io.BytesIO()
    pickle.dump(Calls(function, *arguments), inner, protocol=2)
    return Calls(pickle.loads, inner.getvalue())
