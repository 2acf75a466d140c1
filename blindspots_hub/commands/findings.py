"""`analyse`: the paper's findings of a bundle, as sentences here and as tables in it."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import BundleArgument, QuietOption, run


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
