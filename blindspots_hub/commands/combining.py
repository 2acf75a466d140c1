"""`combine` and `labels`: bundles that become one, and the names of concepts in a bundle."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import BundleArgument, QuietOption, open_bundle, run, tell


def combine(
    bundles: Annotated[
        list[str],
        typer.Argument(help="Bundles of one concept space: folders, or org/name[@version]."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder that the new bundle is written to.")],
    rename: Annotated[
        bool,
        typer.Option(
            "--rename", help="Call the second of two unlike models of one name NAME-2, and so on."
        ),
    ] = False,
    name: Annotated[str, typer.Option(help="The new bundle's name.")] = "combined",
    quiet: QuietOption = False,
) -> None:
    """Bundles of one concept space as one, with their models side by side."""
    from blindspots_hub.runs.combine import combine as combining

    opened = [found for one in bundles if (found := open_bundle(one, (), quiet))]
    work = combining.stream(opened, out, rename=rename, name=name)
    tell(run(work, quiet, resumes=False))


def labels(
    bundle: BundleArgument,
    export: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--export", help="CSV file to write all names to."),
    ] = None,
    read: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--import", help="CSV file with the columns concept and label."),
    ] = None,
    given: Annotated[
        Optional[tuple[str, str]],  # noqa: UP045
        typer.Option(
            "--set",
            metavar="CONCEPT LABEL",
            help='Name a concept: --set 217 "bird feeder". An empty name takes yours away.',
        ),
    ] = None,
) -> None:
    """Name concepts, or write their names to a file; nothing that was measured changes."""
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.artifacts.labels import (
        Label,
        best,
        changed,
        concept_number,
        read_csv,
        write_csv,
    )
    from blindspots_hub.artifacts.optional import add_tables
    from blindspots_hub.artifacts.schema import LABELS

    opened = load_bundle(Path(bundle))  # a folder, as what lies on the Hub is not changed here
    new = read_csv(read, opened.n_concepts) if read else []
    if given:
        concept = concept_number(given[0], opened.n_concepts, "--set")
        new.append(Label(concept, given[1].strip(), date=date.today().isoformat()))
    table = opened.label_table
    if new:
        table = changed(table, new)
        add_tables(opened.root, {LABELS: table})
    if export:
        write_csv(export, table)
    has_name = sum(map(bool, best(table, opened.n_concepts)))
    typer.echo(f"{has_name:,} of {opened.n_concepts:,} concepts have a name.")
