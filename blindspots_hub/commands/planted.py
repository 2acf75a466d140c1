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
    from blindspots_hub.planted.benchmark import running

    report = run(running(pairs, seed, out), quiet)
    typer.echo(report.text())
    if not report.held:
        raise typer.Exit(1)


def planted_train(
    out: Annotated[Path, typer.Option("--out", help="Folder for backbone/ and sae/.")],
    quiet: QuietOption = False,
) -> None:
    """Train the planted world's small DINOv2 and its small RA-SAE, from nothing."""
    from blindspots_hub.planted.build import training

    typer.echo(run(training(out), quiet))


def planted_bundle(
    trained: Annotated[Path, typer.Argument(help="Folder that `planted train` wrote.")],
    out: Annotated[Path, typer.Option("--out", help="Folder that the bundle is written to.")],
    quiet: QuietOption = False,
) -> None:
    """Evaluate the five planted models and write the embedded bundle."""
    from blindspots_hub.planted.build import building

    tell(run(building(trained, out), quiet))
