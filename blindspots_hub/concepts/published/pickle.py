"""The authors' published RA-SAE as tensors: what lies where in their pickle, checked and named.

METHOD section 2, "The published weights". The classes are those of the package overcomplete 0.3.0,
which is never imported; the file's objects are empty stand-ins (`published.archive`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from blindspots_hub.concepts.published.archive import STUBS, Stub, open_checkpoint
from blindspots_hub.errors import BlindspotsError

_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


@dataclass(frozen=True, eq=False)
class Archetypes:
    """What a dictionary is fused from: W (n, n'), C (n', d), Relax (n, d), m (), ‖Relax‖ ≤ delta.

    `weights` may be as training left it, with negative entries and rows of any sum.
    """

    weights: torch.Tensor
    centroids: torch.Tensor
    relax: torch.Tensor
    multiplier: torch.Tensor
    delta: float


@dataclass(frozen=True, eq=False)
class PublishedSAE:
    """The tensors of an RA-SAE as its authors saved it, on disk and mapped into memory.

    encoder_weight (n, d), encoder_bias (n,), norm_weight (n,), norm_bias (n,), any float type.
    dictionary: the fused atoms (n, d) of a model that was saved in eval mode, else their parts.
    candidates (n', d): points in the convex hull of the training tokens, if the file has them.
    delta: bound of the relaxation. top_k: codes kept in each *batch* of training, if the file says.
    threshold: the running threshold of the codes, if the file holds it (the published one does
    not).
    """

    encoder_weight: torch.Tensor
    encoder_bias: torch.Tensor
    norm_weight: torch.Tensor
    norm_bias: torch.Tensor
    layer_norm_eps: float
    dictionary: torch.Tensor | Archetypes
    candidates: torch.Tensor | None
    delta: float
    top_k: int | None
    threshold: float | None

    @property
    def n_concepts(self) -> int:
        """Concepts, n."""
        return int(self.encoder_weight.shape[0])

    @property
    def d(self) -> int:
        """Token width."""
        return int(self.encoder_weight.shape[1])


def read_published(path: Path) -> PublishedSAE:
    """The tensors of the model in `path`, a file that `torch.save` wrote, running none of it.

    Wrapped in DataParallel or not, saved in training or in eval mode. Raises `BlindspotsError` for
    a file that is unsafe, damaged, another kind of model, or whose tensors do not fit one another
    or hold NaN (`Archetypes.weights`, by far the largest, is looked through while it is fused).
    """
    root = open_checkpoint(path)
    reader = _Reader(path)
    if isinstance(root, STUBS["torch.nn.parallel.data_parallel.DataParallel"]):
        root = reader.module(root, "module", "overcomplete.sae.batchtopk_sae.BatchTopKSAE")
    if not isinstance(root, STUBS["overcomplete.sae.batchtopk_sae.BatchTopKSAE"]):
        raise reader.refused(f"is a {type(root).__name__} and not a BatchTopKSAE")
    linear, norm = reader.encoder(root)
    weight = reader.tensor(linear, "weight", None, None)
    n, d = weight.shape
    dictionary = reader.module(
        root, "dictionary", "overcomplete.sae.archetypal_dictionary.RelaxedArchetypalDictionary"
    )
    delta = reader.number(dictionary, "delta", 0.0)
    return PublishedSAE(
        encoder_weight=weight,
        encoder_bias=reader.tensor(linear, "bias", n),
        norm_weight=reader.tensor(norm, "weight", n),
        norm_bias=reader.tensor(norm, "bias", n),
        layer_norm_eps=reader.number(norm, "eps", math.ulp(0.0)),
        dictionary=reader.dictionary(dictionary, n, d, delta),
        candidates=reader.tensor(dictionary, "C", None, d) if reader.has(dictionary, "C") else None,
        delta=delta,
        top_k=reader.top_k(root),
        threshold=reader.threshold(root),
    )


class _Reader:
    """Takes modules, tensors and numbers out of the stand-ins, trusting none of them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def refused(self, what: str) -> BlindspotsError:
        return BlindspotsError(
            f"The model in {self._path} {what}: give the RA-SAE as its authors saved it, or fetch "
            "it again."
        )

    def encoder(self, sae: Stub) -> tuple[Stub, Stub]:
        """Linear and LayerNorm of the only kind of encoder that METHOD knows."""
        encoder = self.module(sae, "encoder", "overcomplete.sae.modules.MLPEncoder")
        hidden = self.module(encoder, "mlp_blocks", "torch.nn.modules.container.ModuleList")
        if self._table(hidden, "_modules"):
            raise self.refused("has hidden layers in its encoder")
        self.module(encoder, "final_activation", "torch.nn.modules.activation.ReLU")
        block = self.module(encoder, "final_block", "torch.nn.modules.container.Sequential")
        if set(self._table(block, "_modules")) != {"0", "1"}:
            raise self.refused("has more than Linear and LayerNorm in its encoder")
        return (
            self.module(block, "0", "torch.nn.modules.linear.Linear"),
            self.module(block, "1", "torch.nn.modules.normalization.LayerNorm"),
        )

    def dictionary(self, stub: Stub, n: int, d: int, delta: float) -> torch.Tensor | Archetypes:
        """The stored atoms where the model was saved in eval mode, else what they are made of.

        A model that went back to training keeps its old atoms, and does not use them.
        """
        if vars(stub).get("training") is False and self.has(stub, "_fused_dictionary"):
            return self.tensor(stub, "_fused_dictionary", n, d)
        centroids = self.tensor(stub, "C", None, d)
        return Archetypes(
            weights=self.tensor(stub, "W", n, len(centroids), finite=False),
            centroids=centroids,
            relax=self.tensor(stub, "Relax", n, d),
            multiplier=self.tensor(stub, "multiplier"),
            delta=delta,
        )

    def module(self, parent: Stub, name: str, kind: str) -> Stub:
        """The submodule `name` of `parent`, which has to be of class `kind`."""
        found = self._table(parent, "_modules").get(name)
        if not isinstance(found, STUBS[kind]):
            raise self.refused(f"has no {kind.rpartition('.')[2]} as its {name}")
        return found

    def has(self, module: Stub, name: str) -> bool:
        """Whether `module` has a tensor `name`."""
        return self._look_up(module, name) is not None

    def tensor(
        self, module: Stub, name: str, *shape: int | None, finite: bool = True
    ) -> torch.Tensor:
        """The tensor `name` of `module`; None stands for a length that is not known yet."""
        found = self._look_up(module, name)
        if not isinstance(found, torch.Tensor):
            raise self.refused(f"lacks {name} in its {type(module).__name__}")
        found = found.detach()
        fits = found.ndim == len(shape) and all(
            length == (wanted or length) and length > 0
            for length, wanted in zip(found.shape, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise self.refused(
                f"has {name} of shape {tuple(found.shape)} in its {type(module).__name__}, where "
                f"({wanted}) belongs"
            )
        # A few bytes can be declared a tensor of any size: by strides of 0.
        there = found.untyped_storage().nbytes()
        if found.dtype not in _FLOATS or found.numel() * found.itemsize > there:
            raise self.refused(f"has no plain float tensor as its {name}")
        if finite and not torch.isfinite(found).all():
            raise self.refused(f"has NaN or infinity in its {name}")
        return found

    def number(self, module: Stub, name: str, least: float) -> float:
        """The finite number `name` ≥ `least` among the attributes of `module`."""
        found: Any = vars(module).get(name)
        if type(found) not in (int, float) or not least <= found < math.inf:
            raise self.refused(f"has {_shown(found)} as {name} of its {type(module).__name__}")
        return float(found)

    def top_k(self, sae: Stub) -> int | None:
        """Codes that each batch of training kept; None where the file does not say."""
        found = vars(sae).get("top_k")
        return found if type(found) is int and found > 0 else None

    def threshold(self, sae: Stub) -> float | None:
        """The running threshold; None where none is stored."""
        if not self.has(sae, "running_threshold"):
            return None
        found = vars(sae)["running_threshold"]
        if isinstance(found, torch.Tensor):
            found = self.tensor(sae, "running_threshold").item()
        if type(found) not in (int, float) or not 0 < found < math.inf:
            raise self.refused(f"has {_shown(found)} as its running_threshold")
        return float(found)

    def _look_up(self, module: Stub, name: str) -> Any:
        """Where torch's modules look: among parameters, buffers, then plain attributes."""
        for table in ("_parameters", "_buffers"):
            if (found := self._table(module, table).get(name)) is not None:
                return found
        return vars(module).get(name)

    def _table(self, module: Stub, name: str) -> dict[str, Any]:
        found = vars(module).get(name)
        if not isinstance(found, dict):
            raise self.refused(f"has no {name} in its {type(module).__name__}")
        return found


def _shown(value: Any) -> str:
    """A number, or the type of anything else: the text of a crafted object may have no end."""
    return str(value) if type(value) in (int, float) else f"a {type(value).__name__}"
