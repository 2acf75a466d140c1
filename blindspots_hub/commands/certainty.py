"""How far a result can be trusted: `plan`, `stability`, `confounds`, `parity`, `remeasure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import (
    BundleArgument,
    BundleOption,
    DeviceOption,
    QuietOption,
    TokensOption,
    open_bundle,
    run,
    share,
    tell,
)

ModelOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--model", help="One of its models. Default: every one."),
]


def plan(
    width: Annotated[
        float, typer.Option(help="Half-width of the interval of r that you want, such as 0.1.")
    ] = 0.1,
    bundle: BundleOption = None,
) -> None:
    """How many pairs an evaluation needs, for concepts that are common or rare."""
    from blindspots_hub import planted
    from blindspots_hub.analysis.planning import pairs_needed
    from blindspots_hub.artifacts.bundle import load_bundle

    base = open_bundle(bundle) or load_bundle(planted.BUNDLE)
    typer.echo(f"Pairs that tell the relative gap r of a middling concept to ±{width:g}:")
    for need in pairs_needed(base, width):
        seen = f"seen in {need.low:.1%} to {need.high:.1%} of natural images"
        pairs = "too few measured to say" if need.pairs is None else f"{need.pairs:,} pairs"
        typer.echo(f"  {seen:<48} {pairs}  ({need.concepts} concepts measured)")


def stability(
    bundle: BundleArgument,
    model: ModelOption = None,
    kind: Annotated[str, typer.Option(help="The δ that ranks: relative or absolute.")] = "relative",
    top: Annotated[int, typer.Option(min=1, help="Concepts on top that are compared.")] = 100,
    quiet: QuietOption = False,
) -> None:
    """Which of the top concepts fewer pairs would have found."""
    from blindspots_hub.analysis.stability import model_stability
    from blindspots_hub.artifacts.bundle import load_bundle

    opened = load_bundle(bundle)
    for name in [model] if model else list(opened.models):
        rows = run(model_stability(opened, name, kind, top), quiet, resumes=False)
        typer.echo(f"{name}, {kind} δ, top {top}:")
        typer.echo("     pairs  side         ranked  with all pairs  with other pairs")
        for row in rows:
            typer.echo(
                f"{row.pairs:>10,}  {row.side:<11}  {row.ranked:>6.1f}  "
                f"{_share(row.with_all):>14}  {_share(row.with_others):>16}"
            )


def confounds(
    out: Annotated[Path, typer.Option("--out", help="Folder for the report and kept codes.")],
    jpeg: Annotated[
        Optional[list[int]],  # noqa: UP045
        typer.Option("--jpeg", help="JPEG quality; may be repeated. Default: 75 and 90."),
    ] = None,
    side: Annotated[
        Optional[list[int]],  # noqa: UP045
        typer.Option("--side", help="Shorter side in pixels; may be repeated. Default: 512."),
    ] = None,
    blur: Annotated[
        Optional[list[float]],  # noqa: UP045
        typer.Option("--blur", help="Radius of a blur in pixels; may be repeated."),
    ] = None,
    contrast: Annotated[
        Optional[list[float]],  # noqa: UP045
        typer.Option("--contrast", help="Factor of the contrast; may be repeated."),
    ] = None,
    pairs: Annotated[int, typer.Option(min=2, help="Natural images that are altered.")] = 1000,
    seed: Annotated[int, typer.Option(help="Chooses the images.")] = 0,
    pairs_from: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--pairs-from", help="Natural images from elsewhere, as in evaluate."),
    ] = None,
    bundle: BundleOption = None,
    device: DeviceOption = None,
    tokens: TokensOption = "patches",
    quiet: QuietOption = False,
) -> None:
    """What JPEG, size, blur and contrast alone would flag: natural images, altered.

    On several GPUs: accelerate launch --multi_gpu -m blindspots_hub confounds …
    """
    from blindspots_hub import planted
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.measure.settings import MeasureSettings
    from blindspots_hub.runs.confounds import Alteration, confounds

    alterations = [Alteration(jpeg=quality) for quality in jpeg or ()]
    alterations += [Alteration(side=pixels) for pixels in side or ()]
    alterations += [Alteration(blur=radius) for radius in blur or ()]
    alterations += [Alteration(contrast=factor) for factor in contrast or ()]
    work = confounds.stream(
        open_bundle(bundle) or load_bundle(planted.BUNDLE),
        out,
        alterations or [Alteration(jpeg=75), Alteration(jpeg=90), Alteration(side=512)],
        pairs=pairs,
        seed=seed,
        pairs_from=pairs_from,
        device=device,
        settings=MeasureSettings(tokens=tokens),
    )
    for found in share(work, quiet) or ():
        typer.echo(
            f"{found.alteration}: {found.pairs:,} images against themselves flag "
            f"{found.flagged['relative']} of {found.judged} concepts by relative δ "
            f"({found.certain['relative']} certain), {found.flagged['absolute']} by absolute δ "
            f"({found.certain['absolute']} certain); {found.differ} differ, median |r| "
            f"{found.typical_gap:.3f}."
        )


def parity(bundle: BundleArgument, model: ModelOption = None) -> None:
    """The authors' own numbers: all tokens, τ = 0.8, no interval; needs `--tokens all`."""
    from blindspots_hub.analysis.parity import parity as authors
    from blindspots_hub.artifacts.bundle import load_bundle

    opened = load_bundle(bundle)
    for name in [model] if model else list(opened.models):
        found = authors(opened, name).summary()
        typer.echo(
            f"{name}: median δ {found['median']:.4f}, skewness {found['skewness']:.2f}, "
            f"{found['suppressed']:,} of {found['concepts']:,} concepts below 0.1, "
            f"{found['exaggerated']:,} above 0.9"
        )


def remeasure(
    bundle: BundleArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder that the new bundle is written to.")],
    tau: Annotated[Optional[float], typer.Option(help="Temperature of δ.")] = None,  # noqa: UP045
    min_support: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Pairs below which a concept stays undetermined."),
    ] = None,
    alpha: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Bound of the q-value."),
    ] = None,
    confidence: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Confidence of every interval."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """All tables anew from the kept energies, with other settings: no image, no GPU."""
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.runs.remeasure import remeasure

    asked = {"tau": tau, "min_support": min_support, "alpha": alpha, "confidence": confidence}
    changes = {name: value for name, value in asked.items() if value is not None}
    work = remeasure.stream(load_bundle(bundle), out, changes)
    tell(run(work, quiet, resumes=False))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
