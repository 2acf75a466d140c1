"""`benchmark planted` and the making of the embedded default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import QuietOption, run, tell


def benchmark_planted(
    pairs: Annotated[int, typer.Option(min=200, help="Pairs drawn for every model.")] = 3000,
    seed: Annotated[int, typer.Option(help="Seed of the world and of every image.")] = 1,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for the report and its figures."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Measure models whose blindspots are known; exits with 1 where a criterion does not hold."""
    from blindspots_hub.planted.benchmark.report import running

    report = run(running(pairs, seed, out), quiet)
    typer.echo(report.text())
    if not report.held:
        raise typer.Exit(1)


def benchmark_metrics(
    pairs: Annotated[int, typer.Option(min=60, help="Captions that every model draws.")] = 400,
    seed: Annotated[int, typer.Option(help="Seed of the world and of every image.")] = 3,
    quiet: QuietOption = False,
) -> None:
    """Which metric sees which planted fault, at which strength: δ, Fréchet distance and others."""
    from blindspots_hub.planted.benchmark.sensitivity import SEEN, sensitivity, text

    typer.echo(text(run(sensitivity(pairs, seed), quiet)))
    typer.echo(
        f"Standard deviations of the same model without faults under other seeds; bold where a "
        f"metric is worse by {SEEN:g} or more."
    )


def planted_train(
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone/ and sae/.")],
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="By self-distillation: no label is read.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Train the planted world's small DINOv2 and its small RA-SAE, from nothing."""
    from blindspots_hub.planted.training import training, training_unlabelled

    typer.echo(run(training_unlabelled(out) if unlabelled else training(out), quiet))


def planted_bundle(
    trained: Annotated[Path, typer.Argument(help="Folder that `planted train` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    quiet: QuietOption = False,
) -> None:
    """Evaluate the five planted models and write the embedded bundle."""
    from blindspots_hub.planted.build import building

    tell(run(building(trained, out), quiet))


def planted_population(
    out: Annotated[Path, typer.Option("--out", help="File that the sums are written to.")],
    space: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder of backbone/ and sae/. Default: the embedded bundle."),
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="Scenes of every side.")] = 100_000,
    quiet: QuietOption = False,
) -> None:
    """Draw the population that `benchmark planted` holds its claims against; goes on after a kill.

    100,000 scenes take some two hours on two cores.
    """
    from blindspots_hub import planted
    from blindspots_hub.planted.populating import populating

    found = run(populating(space or planted.BUNDLE, out, scenes), quiet)
    typer.echo(f"{out}: {found.scenes:,} scenes of {len(found.sides)} sides")
