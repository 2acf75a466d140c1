"""`train-sae`, `fit-domain`, `token-store`, `validate-tokens`: an RA-SAE of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from blindspots_hub import paper
from blindspots_hub.commands.options import DeviceOption, QuietOption, is_first, run
from blindspots_hub.concepts.training.config import TrainConfig
from blindspots_hub.errors import BlindspotsError

_RECIPE = TrainConfig()
"""The paper's recipe: the defaults."""

_BackboneOption = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="DINOv2: a folder or a Hub id. A token store brings its own."),
]


def train_sae(
    source: Annotated[Path, typer.Argument(help="Folder of training images, or a token store.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for config.json and weights.")],
    backbone: _BackboneOption = None,
    concepts: Annotated[int, typer.Option(help="Atoms of the dictionary.")] = _RECIPE.n_concepts,
    epochs: Annotated[int, typer.Option(help="Passes over the tokens.")] = _RECIPE.epochs,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Optimiser steps, instead of --epochs."),
    ] = None,
    batch: Annotated[
        int, typer.Option(help="Tokens a step, of all processes together.")
    ] = _RECIPE.batch,
    sparsity: Annotated[str, typer.Option(help="topk or batch_topk.")] = _RECIPE.sparsity,
    k: Annotated[int, typer.Option(help="Codes that a token keeps.")] = _RECIPE.k,
    centroids: Annotated[
        int, typer.Option(help="Points that atoms are mixed of; no more than there are tokens.")
    ] = _RECIPE.n_centroids,
    relaxation: Annotated[
        float, typer.Option(help="Largest departure of an atom from the convex hull.")
    ] = _RECIPE.relaxation,
    peak_rate: Annotated[float, typer.Option(help="Highest learning rate.")] = _RECIPE.peak_rate,
    precision: Annotated[
        str,
        typer.Option(help="fp16, bf16, fp32, or auto: fp16 on CUDA, else fp32."),
    ] = _RECIPE.precision,
    full_precision_share: Annotated[
        float, typer.Option(help="Share of the steps at the end that are fp32.")
    ] = _RECIPE.full_precision_share,
    seed: Annotated[int, typer.Option(min=0, help="Repeats a training.")] = 0,
    checkpoint_minutes: Annotated[
        float, typer.Option(help="How often the state is saved to go on from.")
    ] = 10.0,
    log_with: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="tensorboard, trackio or wandb, besides metrics.jsonl; repeatable."),
    ] = None,
    keep_tokens: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Folder for a token store of the images, to be used again."),
    ] = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Train an RA-SAE on the DINOv2 tokens of your own images, by the paper's recipe.

    On several GPUs or hosts: accelerate launch --multi_gpu -m blindspots_hub train-sae …
    """
    from blindspots_hub.runs.train_sae import TrainerOptions, train_sae

    config = TrainConfig(
        n_concepts=concepts,
        sparsity=sparsity,  # type: ignore[arg-type]  # TrainConfig refuses what it does not know
        k=k,
        n_centroids=centroids,
        relaxation=relaxation,
        epochs=epochs,
        steps=steps,
        batch=batch,
        peak_rate=peak_rate,
        precision=precision,  # type: ignore[arg-type]
        full_precision_share=full_precision_share,
    )
    place = TrainerOptions(device, checkpoint_minutes * 60, log_with or (), keep_tokens)
    quality = run(
        train_sae.stream(source, out, config, seed, backbone, place), quiet or not is_first()
    )
    if quality is not None:
        typer.echo(
            f"{out}: R² {quality['r2']:.3f}, {quality['l0']:.1f} codes a token, "
            f"{quality['dead_share']:.1%} dead concepts"
        )


def fit_domain(
    model: Annotated[Path, typer.Argument(help="Folder of the RA-SAE.")],
    source: Annotated[
        Path, typer.Argument(help="Images it was trained on, or a token store of such.")
    ],
    backbone: _BackboneOption = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Tell an RA-SAE which images it was trained on, so that measuring warns of others.

    train-sae does this by itself; a few hundred images are enough.
    """
    from blindspots_hub.runs.fit_domain import fitting

    domain = run(fitting(model, source, backbone, device), quiet)
    home = domain.home
    typer.echo(
        f"{model}: knows {home.images:,} of its images, of whose tokens it reconstructs "
        f"{home.r2:.0%} with {home.codes:.1f} codes each."
    )


def token_store(
    images: Annotated[Path, typer.Argument(help="Folder of images, or of folders of images.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the store.")],
    backbone: Annotated[str, typer.Option(help="DINOv2: a folder or a Hub id.")] = paper.BACKBONE,
    dtype: Annotated[str, typer.Option(help="float16 or float32.")] = "float16",
    device: DeviceOption = None,
    quiet: QuietOption = False,
) -> None:
    """Keep the tokens of images on disk, for trainings to come. Run again, it goes on."""
    from blindspots_hub.runs.train_sae import token_store as storing

    work = storing(images, backbone, out, dtype, device)  # type: ignore[arg-type]  # checked there
    store = run(work, quiet or not is_first())
    if is_first():
        typer.echo(f"{out}: {len(store):,} tokens of {store.n_images:,} images")


def validate_tokens(
    store: Annotated[Path, typer.Argument(help="Folder of a token store.")],
    quiet: QuietOption = False,
) -> None:
    """Read every byte of a token store and list every bad shard."""
    from blindspots_hub.concepts.tokens.check import checking_store

    faults = run(checking_store(store), quiet)
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise BlindspotsError(
            f"{store} has {len(faults)} faults, listed above: copy those files again, or delete "
            "the store and write it anew."
        )
    typer.echo(f"{store}: every shard is as it was written")
