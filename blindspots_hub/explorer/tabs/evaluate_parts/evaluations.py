"""Evaluations that the form or a program asks for, into the folder of the page's evaluations."""

from __future__ import annotations

from typing import Any

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.more_form import NO_MORE, More
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import OneAtATime
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import result_folder
from blindspots_hub.progress import Work
from blindspots_hub.serving.disk import evaluation_bytes


def drawing(choice: GenerationChoice) -> dict[str, Any]:
    """What the advanced settings mean, as arguments of a flow that draws."""
    from blindspots_hub.generation.additions import Additions

    additions = Additions(scheduler=choice.scheduler, negative_prompt=choice.negative_prompt)
    return {
        "num_images_per_prompt": choice.num_images_per_prompt,
        "num_inference_steps": choice.num_inference_steps,
        "guidance_scale": choice.guidance_scale,
        "height": choice.size,
        "width": choice.size,
        "dtype": choice.dtype,
        "additions": additions or None,
    }


class Evaluations(OneAtATime):
    """Runs what is asked for; the page's catalog then knows the bundle."""

    def work(
        self,
        spec: str,
        pairs: int,
        seed: int,
        choice: GenerationChoice,
        token: str | None = None,
        more: More = NO_MORE,
        first: str = "",
    ) -> Work[Bundle]:
        """The evaluation of what `Deployment.accepted` and `check_generations` have let through.

        A generator of events that returns the bundle. Closing it stops the work; the same request
        goes on where it was. `more` is what it is asked for besides; its models are evaluated one
        a call, where `first` is the one that the row begins with.
        """
        access, fetched = self.reached(spec, token)

        def evaluated() -> Work[Bundle]:
            from blindspots_hub.runs.evaluate import evaluate

            home = self.catalog.home
            place = result_folder(self.folder, home, first or spec, pairs, seed, choice, more)
            self.make_room(place, evaluation_bytes(pairs * choice.num_images_per_prompt, fetched))
            bundle: Bundle = yield from evaluate.stream(
                spec,
                place,
                pairs=pairs,
                seed=seed,
                bundle=home,
                pairs_from=more.pairs_from or None,
                **drawing(choice),
                batch_size=self.site.batch_size,
                previews=True,
                access=access,
            )
            return bundle

        bundle = yield from self.alone(evaluated)
        self.catalog.add(bundle.root)
        return bundle
