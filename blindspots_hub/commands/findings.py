"""`analyse`, `compare`, `report`: findings of a bundle as sentences, as a gate, as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import BundleArgument, DeviceOption, QuietOption, run


def analyse(
    bundle: BundleArgument,
    names: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(help="Analyses by name. Default: all of them."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Answer the paper's questions of a bundle; the tables are kept in it."""
    from blindspots_hub.runs.analyse import analyse as asking

    for answer in run(asking.stream(bundle, names or ()), quiet):
        typer.echo(f"{answer.title}:")
        for sentence in [*answer.sentences, *answer.left_out]:
            typer.echo(f"  {sentence}")


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Two models or a series: BUNDLE#MODEL, or BUNDLE where it holds one; with "
            "--bundle, names of its models."
        ),
    ],
    bundle: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--bundle", help="A bundle that holds all of them."),
    ] = None,
    fail_if: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--fail-if",
            help="Exit with 1 where this is so of the last model against the first: 'broken > 0', "
            "'broken > 3 or changed_share > 0.1'. Also fixed, moved, unchanged, judged, pairs.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print counts and changed concepts as JSON.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Compare models or checkpoints on the same captions: fixed, broken, unchanged concepts."""
    from blindspots_hub.errors import BlindspotsError
    from blindspots_hub.runs.compare import compare as comparing
    from blindspots_hub.runs.condition import Condition

    if len(models) < 2:
        raise BlindspotsError("Name at least two models to compare.")
    condition = None if fail_if is None else Condition.parse(fail_if)
    found = run(comparing.stream(models[0], *models[1:], bundle=bundle), quiet or as_json)
    failed = condition is not None and condition.holds(found.last.values)
    if as_json:
        typer.echo(json.dumps({**found.to_json(), "fail_if": fail_if, "failed": failed}, indent=1))
    else:
        for sentence in found.sentences:
            typer.echo(sentence)
        if failed:
            typer.echo(f"Failed: {fail_if}.")
    if failed:
        raise typer.Exit(1)


def report(
    bundle: BundleArgument,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", help="HTML file. Default: report.html in the current folder."),
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Write everything that the analyses say of a bundle as one HTML file that needs no network."""
    from blindspots_hub.runs.report import report as reporting

    path = run(reporting.stream(bundle, out or Path("report.html")), quiet)
    typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB; open it in a browser.")


def score_captions(
    bundle: BundleArgument,
    scorer: Annotated[str, typer.Argument(help="A CLIP model: a folder, or its id on the Hub.")],
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """CLIPScore of every pair, kept in the bundle for the analyses that ask for it."""
    from blindspots_hub.runs.score_captions import score_captions as scoring

    for name, mean in run(scoring.stream(bundle, scorer, device), quiet).items():
        typer.echo(f"{name}: mean CLIPScore {mean:.3f}")
