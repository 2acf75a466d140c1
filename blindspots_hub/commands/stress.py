"""`stress`: a suspected blindspot put to the test with prompts that ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from blindspots_hub.commands.model_options import MODEL, draws
from blindspots_hub.commands.options import (
    BundleArgument,
    DeviceOption,
    QuietOption,
    share,
    telling_estimates,
)


@draws
def stress(
    bundle: BundleArgument,
    model: Annotated[str, typer.Argument(help=MODEL)],
    concept: Annotated[
        list[str],
        typer.Option("--concept", help="A concept's number; as often as you like."),
    ],
    against: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="A second model, that draws the concept: the same prompts and seeds."),
    ] = None,
    direction: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="suppressed: prompts ask for the concepts; exaggerated: they do not. Default: "
            "each concept's state in the bundle's table of MODEL."
        ),
    ] = None,
    prompt: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--prompt", help="A prompt; as often as you like."),
    ] = None,
    prompts: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="File of prompts, one a line; {label} stands for the concept's name."),
    ] = None,
    captions: Annotated[
        bool, typer.Option("--captions", help="Captions of the bundle that name the concept.")
    ] = False,
    templates: Annotated[
        bool, typer.Option("--templates", help="Templates over the concept's name.")
    ] = False,
    prompts_with: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            "--prompts-with",
            help="A language model that writes them: hf:OWNER/NAME, an OpenAI-compatible server's "
            "address (the key is BLINDSPOTS_API_KEY or HF_TOKEN), or a model of transformers by "
            "folder or Hub id, which is run here.",
        ),
    ] = None,
    prompts_model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--prompts-model", help="The model's name on that server."),
    ] = None,
    num_prompts: Annotated[
        int, typer.Option("--num-prompts", help="Prompts a concept, unless they are given.")
    ] = 50,
    num_images_per_prompt: Annotated[
        int, typer.Option("--num-images-per-prompt", "--seeds", min=1, help="Images a prompt.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Chooses captions and each image's noise.")] = 0,
    work: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--work", help="Keep images and result here, the bundle as it is."),
    ] = None,
    device: DeviceOption = None,
    quiet: QuietOption = False,
    **drawing: Any,
) -> None:
    """Ask MODEL for concepts that BUNDLE says it cannot draw, and tell whether that is so.

    The verdicts are kept in the bundle. Prompts are captions that name the concept unless said
    otherwise, and of concepts that MODEL exaggerates captions that do not name them. Stopped
    (Ctrl-C) and run again with the same arguments, it goes on where it was.
    """
    from blindspots_hub.artifacts.bundle import load_bundle
    from blindspots_hub.artifacts.labels_csv import concept_number
    from blindspots_hub.errors import BlindspotsError
    from blindspots_hub.runs.pace import measured_before
    from blindspots_hub.runs.stress import stress_test
    from blindspots_hub.serving.estimate import stress_estimate
    from blindspots_hub.stress.prompt_sources import PromptSource

    given = [bool(prompt), prompts is not None, captions, templates, prompts_with is not None]
    if sum(given) > 1:
        raise BlindspotsError(
            "Prompts come from one source: choose one of --prompt, --prompts, --prompts-with, "
            "--captions and --templates."
        )
    if prompt:
        source = PromptSource.given(prompt)
    elif prompts is not None:
        source = PromptSource.file(prompts)
    elif prompts_with is not None:
        from blindspots_hub.runs.stress_prompts import written_by

        source = written_by(prompts_with, prompts_model, device)
    else:
        source = PromptSource("captions" if captions else "templates" if templates else "usual")
    opened = load_bundle(bundle)
    numbers = [concept_number(one, opened.n_concepts, "--concept") for one in concept]
    asked = len(source.lines) or num_prompts
    known = measured_before(work or opened.root, model, against, **drawing)
    found = stress_estimate(model, against, asked * len(numbers), num_images_per_prompt, known)
    if not quiet:
        typer.echo(found.sentence, err=True)
    work_done = stress_test.stream(
        opened,
        model,
        concepts=numbers,
        against=against,
        direction=direction,
        prompts=source,
        num_prompts=num_prompts,
        num_images_per_prompt=num_images_per_prompt,
        seed=seed,
        work_dir=work,
        device=device,
        **drawing,
    )
    result = share(work_done if quiet else telling_estimates(work_done), quiet)
    if result is None:
        return
    for sentence in result.sentences:
        typer.echo(sentence)
    typer.echo(f"Images and verdicts are in {result.place}.")
