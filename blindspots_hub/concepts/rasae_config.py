"""What a trained RA-SAE needs to be told beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from blindspots_hub import paper
from blindspots_hub.concepts.layout import TokenLayout
from blindspots_hub.errors import BlindspotsError

Sparsity = Literal["topk", "batch_topk"]
_LATER = ("threshold_origin", "token_layout")
"""Settings that a config.json written before they existed lacks; left out of it where unknown."""

_OPTIONAL = ("threshold", "backbone_revision", "backbone_fingerprint", *_LATER)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "d": int,
    "n_concepts": int,
    "sparsity": str,
    "k": int,
    "threshold": (int, float),
    "layer_norm_eps": (int, float),
    "relaxation": (int, float),
    "weights_dtype": str,
    "backbone": str,
    "backbone_revision": str,
    "backbone_fingerprint": str,
    "origin": str,
    "threshold_origin": str,
    "token_layout": dict,
}


@dataclass(frozen=True)
class RASAEConfig:
    """Everything that inference needs beside the weights (METHOD section 2).

    d: token width. n_concepts: concepts, the paper's n. sparsity: `topk` keeps the `k` largest
    codes of a token, `batch_topk` the codes that are at least `threshold`. relaxation: largest norm
    of an atom's departure from the convex hull while it was trained. weights_dtype: how the two
    matrices are stored; all is computed in float32. backbone, its revision and its fingerprint:
    whose tokens it reads. origin: where the weights come from, in words. threshold_origin: where
    the threshold comes from, if not from this project's training. token_layout: order of the tokens
    of one image that it was trained on, where that is known.
    """

    d: int
    n_concepts: int = paper.CONCEPTS
    sparsity: Sparsity = "topk"
    k: int = paper.TOP_K
    threshold: float | None = None
    layer_norm_eps: float = 1e-5
    relaxation: float = paper.RELAXATION
    weights_dtype: Literal["float32", "float16"] = "float32"
    backbone: str = paper.BACKBONE
    backbone_revision: str | None = None
    backbone_fingerprint: str | None = None
    origin: str = ""
    threshold_origin: str | None = None
    token_layout: TokenLayout | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None and name in _OPTIONAL:
                continue
            if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
                raise _refused(f"has {name} = {value!r}")
        if self.d < 1 or self.n_concepts < 1:
            raise _refused(f"has {self.n_concepts} concepts of width {self.d}")
        if not 1 <= self.k <= self.n_concepts:
            raise _refused(f"keeps k = {self.k} of {self.n_concepts} concepts")
        if self.sparsity not in ("topk", "batch_topk"):
            raise _refused(f"has sparsity {self.sparsity!r}, neither topk nor batch_topk")
        if self.sparsity == "batch_topk" and not (self.threshold or 0) > 0:
            raise _refused(
                f"has sparsity batch_topk and threshold {self.threshold!r}, and without a "
                "positive threshold its codes are not defined"
            )
        if self.weights_dtype not in ("float32", "float16"):
            raise _refused(f"has weights_dtype {self.weights_dtype!r}, neither float32 nor float16")
        if not self.layer_norm_eps > 0:
            raise _refused(f"has layer_norm_eps = {self.layer_norm_eps!r}, which is not positive")

    def to_json(self) -> dict[str, Any]:
        """The content of config.json."""
        value = asdict(self)
        return {k: v for k, v in value.items() if not (k in _LATER and v is None)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> RASAEConfig:
        """Read config.json; every setting must be there, and none that is unknown."""
        names = {field.name for field in fields(cls)}
        if missing := sorted(names - set(value) - set(_LATER)):
            raise _refused(f"lacks {', '.join(missing)}")
        if unknown := sorted(set(value) - names):
            raise _refused(f"has unknown settings ({', '.join(unknown)})")
        if value.get("token_layout") is not None:
            value = value | {"token_layout": _layout(value["token_layout"])}
        return cls(**value)


def _layout(value: Any) -> TokenLayout:
    """The layout that a config.json describes by the names of `TokenLayout`'s fields."""
    match value:
        case {"cls": int(cls), "registers": int(registers), "grid": [int(rows), int(columns)]}:
            return TokenLayout(cls, registers, (rows, columns))
    raise _refused(f"has token_layout = {value!r}")


def _refused(what: str) -> BlindspotsError:
    return BlindspotsError(
        f"The RA-SAE's config.json {what}: take the config.json that belongs to its weights."
    )
