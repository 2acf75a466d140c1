"""`label` and `labels`: concepts get names, and names are edited, imported and exported."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import (
    BundleArgument,
    DeviceOption,
    QuietOption,
    run,
    telling_estimates,
)


def label(
    bundle: BundleArgument,
    source: Annotated[
        str,
        typer.Option(
            "--with",
            help="Who names: caption-words (no model), a folder or Hub id of an image-text-to-text "
            "model, CLIP or SigLIP, https://HOST/v1 of an OpenAI-compatible server, or "
            "hf:OWNER/NAME by Hugging Face's inference providers.",
        ),
    ] = "caption-words",
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The model that a server at https://HOST/v1 is asked for."),
    ] = None,
    concept: Annotated[
        Optional[list[int]],  # noqa: UP045
        typer.Option("--concept", "-k", help="A concept to name; again for more. Default: judged."),
    ] = None,
    most: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, help="Most concepts that are named, blindspots first."),
    ] = None,
    judge: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Who judges names on held-out images: a CLIP or SigLIP, captions, or none. "
            "Default: who names."
        ),
    ] = None,
    vocabulary: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Names for CLIP or SigLIP, one a line. Default: words of the captions."),
    ] = None,
    prompts: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder with a name.txt or judge.txt in the place of ours."),
    ] = None,
    at_once: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=1, max=64, help="Questions that an endpoint is asked at the same time."),
    ] = None,
    price_in: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, help="Price of a million tokens read, for the estimate."),
    ] = None,
    price_out: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(min=0, help="Price of a million tokens written."),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what it would take, and ask nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Name anew what was named so before.")
    ] = False,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Name concepts, and measure whether the names predict where they fire."""
    from blindspots_hub.naming.estimate import Prices
    from blindspots_hub.runs.label import label as naming
    from blindspots_hub.runs.label_request import Naming

    how = Naming(
        concepts=tuple(concept or ()),
        most=most,
        model=model,
        judge=judge,
        vocabulary=vocabulary,
        prompts=prompts,
        at_once=at_once,
        prices=Prices(price_in, price_out),
        again=again,
        device=device,
        only_estimate=estimate,
    )
    found = run(telling_estimates(naming.stream(bundle, source, how)), quiet)
    if not found.asked:
        typer.echo(
            "No concept of this bundle is judged, so that none was chosen: choose some with "
            "--concept, or measure more pairs."
        )
        return
    if estimate and found.expected is not None:
        typer.echo(f"It takes {found.expected.words}")
    if not estimate:
        for sentence in found.sentences:
            typer.echo(sentence)


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
    other: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--from",
            help="Bundle of the same concept space whose names are taken over; own ones stay.",
        ),
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
    from blindspots_hub.artifacts.labels import Label, best, changed
    from blindspots_hub.artifacts.labels_csv import (
        concept_number,
        given_by_hand,
        read_csv,
        write_csv,
    )
    from blindspots_hub.artifacts.merging import labels_of_same_space
    from blindspots_hub.artifacts.optional import add_tables
    from blindspots_hub.artifacts.schema import LABELS
    from blindspots_hub.utils.folder_lock import in_turn

    opened = load_bundle(Path(bundle))  # a folder, as what lies on the Hub is not changed here
    new = read_csv(read, opened.n_concepts) if read else []
    if given:
        concept = concept_number(given[0], opened.n_concepts, "--set")
        name = given_by_hand(given[1])
        new.append(Label(concept, name, date=date.today().isoformat()))
    with in_turn(opened.root):
        opened.name_again()
        table = opened.label_table
        if other is not None:
            table = labels_of_same_space(opened, load_bundle(other))
        if new or other is not None:
            table = changed(table, new)
            add_tables(opened.root, {LABELS: table})
    if export:
        write_csv(export, table)
    has_name = sum(map(bool, best(table, opened.n_concepts)))
    typer.echo(f"{has_name:,} of {opened.n_concepts:,} concepts have a name.")
