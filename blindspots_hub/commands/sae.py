"""`train-sae`: an RA-SAE of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from blindspots_hub.commands.options import DeviceOption, QuietOption, run


def train_sae(
    images: Annotated[Path, typer.Argument(help="Folder of training images.")],
    backbone: Annotated[str, typer.Option(help="DINOv2: a folder or a Hub id.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for config.json and weights.")],
    concepts: Annotated[int, typer.Option(help="Atoms of the dictionary.")] = 1024,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 2000,
    batch: Annotated[int, typer.Option(help="Tokens a step.")] = 4096,
    sparsity: Annotated[str, typer.Option(help="topk or batch_topk.")] = "topk",
    k: Annotated[int, typer.Option(help="Codes that a token keeps.")] = 5,
    seed: Annotated[int, typer.Option(help="Repeats a training.")] = 0,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train an RA-SAE on the DINOv2 tokens of your own images."""
    from blindspots_hub.training import training

    work = training(
        images,
        backbone,
        out,
        n_concepts=concepts,
        steps=steps,
        batch=batch,
        sparsity=sparsity,
        k=k,
        seed=seed,
        device=device,
    )
    quality = run(work, quiet)
    typer.echo(
        f"{out}: R² {quality['r2']:.3f}, {quality['l0']:.1f} codes a token, "
        f"{quality['dead_share']:.1%} dead concepts"
    )
