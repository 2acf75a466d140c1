"""Cards: README.md files beside artifacts, rendered from the templates of the repository."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, PackagePath
from importlib.metadata import files as distribution_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blindspots_hub import paper
from blindspots_hub.artifacts.cards.markdown import Markdown, code, quoted, shell, shown
from blindspots_hub.artifacts.layout import CARD, QUALITY, table_path
from blindspots_hub.artifacts.licences import sae_licence
from blindspots_hub.artifacts.manifest import Manifest
from blindspots_hub.artifacts.schema import CONCEPTS, DELTAS
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.measure.null import null_flagged
from blindspots_hub.utils.files import write_bytes, write_json

if TYPE_CHECKING:
    from jinja2 import Environment

CHECKOUT = Path(__file__).resolve().parents[3]
"""Where `model_card/` and `dataset_card/` lie at the top of a checkout or of a Space."""

INSTALLED = "share/blindspots_hub"
"""Where they lie below the prefix of an installation by pip (pyproject.toml, data-files)."""

QUALITY_METRICS = {"r2": "R²", "l0": "L0", "dead_share": "dead share"}
"""What `quality.json` holds of an RA-SAE on held-out tokens, and what cards call it."""


def template_path(template: str) -> Path:
    """The file of a template ("model_card/ra_sae.md"), in a checkout or in an installation."""
    if (path := CHECKOUT / template).is_file():
        return path
    for recorded in _recorded():
        if recorded.as_posix().endswith(f"{INSTALLED}/{template}"):
            return Path(str(recorded.locate()))
    raise BlindspotsError(
        f"The template {template} of blindspots_hub's cards is missing: install the package again, "
        "or run from a checkout, which holds it."
    )


def _recorded() -> list[PackagePath]:
    """The files that pip installed; none where the package was not installed."""
    try:
        return distribution_files("blindspots-hub") or []
    except PackageNotFoundError:
        return []


def render(template: str, front: Mapping[str, Any], fields: Mapping[str, Any]) -> bytes:
    """Fill a template ("model_card/ra_sae.md"); a field that it names and lacks is an error.

    Strings are escaped, so that they show as text whatever is in them. In a template, `| code`
    makes a code span of a value, `| quoted` a Python string, `| shell` a word of a command line;
    a string that is Markdown already has to be a `Markdown`.
    """
    filled = _environment().get_template(template)
    return filled.render(front_matter=front_matter(front), **fields).encode()


@cache
def _environment() -> Environment:
    """What templates are rendered in; it keeps those that it has compiled."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        finalize=shown,
        loader=FunctionLoader(lambda name: template_path(name).read_text(encoding="utf-8")),
    )
    environment.filters.update(code=code, quoted=quoted, shell=shell)
    return environment


def front_matter(front: Mapping[str, Any]) -> Markdown:
    """The YAML block at the top of a card, keys in the order of the alphabet."""
    import yaml

    block = yaml.safe_dump(dict(front), sort_keys=True, allow_unicode=True)
    return Markdown(f"---\n{block}---\n")


def write_sae_card(folder: Path, title: str, config: Mapping[str, Any], quality: Any) -> None:
    """Write the card of a trained RA-SAE beside its weights, and its quality as `quality.json`.

    `quality` is of `evaluate_sae` on held-out tokens: `r2`, `l0`, `dead_share`. The file is part of
    the artifact, so that the card of a published RA-SAE can say the same.
    """
    front = {
        "library_name": "blindspots_hub",
        "license": sae_licence(config, None),
        "tags": ["sparse-autoencoder", "interpretability", "ra-sae"],
    }
    fields = {
        "title": title,
        "origin": config["origin"],
        "backbone": config["backbone"],
        "d": config["d"],
        "n_concepts": config["n_concepts"],
        "sparsity": sparsity_rule(config),
        "r2": f"{quality['r2']:.3f}",
        "l0": f"{quality['l0']:.2f}",
        "dead_share": f"{quality['dead_share']:.1%}",
        "folder": folder.name,
    }
    write_json(folder / QUALITY, {name: float(quality[name]) for name in QUALITY_METRICS})
    write_bytes(folder / CARD, render("model_card/ra_sae.md", front, fields))


def sparsity_rule(config: Mapping[str, Any]) -> str:
    """Which codes a RA-SAE keeps, by its config.json, in words."""
    if config["sparsity"] == "batch_topk":
        return f"codes of at least {config['threshold']:.4g} (batch top-k, k = {config['k']})"
    return f"the {config['k']} largest codes of a token"


def write_published_card(
    folder: Path,
    config: Mapping[str, Any],
    sha256: str,
    is_published: bool,
    top_k: int | None,
    rounding: Mapping[str, Any] | None,
) -> None:
    """Write the card of an imported RA-SAE: licence, authors, and what was changed.

    `sha256` and `top_k` (codes a training batch kept) are the imported file's; `rounding` is what
    float16 costs (`concepts.published.rounding`), None for float32.
    """
    front: dict[str, Any] = {
        "library_name": "blindspots_hub",
        "license": paper.PUBLISHED_LICENSE,
        "tags": ["sparse-autoencoder", "interpretability", "ra-sae", f"arxiv:{paper.ARXIV}"],
    }
    if is_published:
        front["base_model"] = paper.PUBLISHED_REPO
    fields = {
        "config": config,
        "sha256": sha256,
        "is_published": is_published,
        "top_k": top_k,
        "rounding": rounding,
        "repo": paper.PUBLISHED_REPO,
        "revision": paper.PUBLISHED_REVISION,
        "published_sha256": paper.PUBLISHED_SHA256,
        "paper_title": paper.TITLE,
        "authors": ", ".join(paper.AUTHORS),
        "arxiv": paper.ARXIV,
        "tokens": config["token_layout"],
        "folder": folder.resolve().name,
    }
    write_bytes(folder / CARD, render("model_card/published.md", front, fields))


def write_bundle_card(root: Path, manifest: Manifest) -> None:
    """Write the card of a bundle from its manifest."""
    front = {
        "license": "other",
        "tags": ["blindspots", "text-to-image", "interpretability"],
        "pretty_name": f"{manifest.name} {manifest.version}",
    }
    models = []
    for entry in manifest.models:
        counts, flagged = entry.counts.get("relative", {}), null_flagged(entry.null)
        models.append(
            {
                "name": entry.name,
                "title": entry.title,
                "pairs": f"{entry.pairs:,}",
                "suppressed": counts.get("suppressed", 0),
                "exaggerated": counts.get("exaggerated", 0),
                "certain": counts.get("certain", 0),
                "twofold": counts.get("weakened", 0) + counts.get("strengthened", 0),
                "null": "not measured" if flagged is None else f"{flagged:.1%}",
            }
        )
    first = table_path(root, CONCEPTS)
    if manifest.models:
        first = table_path(root, DELTAS, manifest.models[0].name)
    fields = {
        "title": f"Blindspots: {manifest.name}",
        "created_with": manifest.created_with,
        "note": manifest.note or "",
        "models": models,
        "paired": all(entry.paired for entry in manifest.models),
        "alpha": " or ".join(sorted({f"{e.measured_with.alpha:g}" for e in manifest.models})),
        "suppressed_below": paper.SUPPRESSED_BELOW,
        "exaggerated_above": paper.EXAGGERATED_ABOVE,
        "first_table": first.relative_to(root).as_posix(),
    }
    write_bytes(root / CARD, render("dataset_card/bundle.md", front, fields))
