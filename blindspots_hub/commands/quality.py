"""`evaluate-sae`: the quality of trained RA-SAEs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub.commands.options import DeviceOption, QuietOption, run


def evaluate_sae(
    models: Annotated[
        list[str], typer.Argument(help="RA-SAEs: folders or Hub ids. Several are also matched.")
    ],
    tokens: Annotated[Path, typer.Option(help="Token store, or folder of images (--backbone).")],
    backbone: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="DINOv2 of the images: a folder or a Hub id."),
    ] = None,
    points: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help=".npy of points whose convex hull is meant. Default: of the tokens."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="JSON file for all numbers."),
    ] = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """R², codes a token, dead and redundant concepts, coherence, hull distance, stability.

    Stability is claimed only of models whose trainings began independently.
    """
    from blindspots_hub.runs.evaluate_sae import evaluate_sae

    evaluation = run(evaluate_sae.stream(models, tokens, backbone, points, device), quiet)
    typer.echo(evaluation.text())
    if out is not None:
        evaluation.write(out)
