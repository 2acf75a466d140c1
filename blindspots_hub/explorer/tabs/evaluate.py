"""The tab Evaluate my model: three lines, a running page, and the way to the result."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.analysis.summary import verdict
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.arrival import view_of
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.counts import counts_line
from blindspots_hub.explorer.page.domain_notice import result_notice
from blindspots_hub.explorer.page.listening import AT_ONCE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.slider import slider
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.evaluate_parts.evaluations import Evaluations
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import (
    GenerationChoice,
    GenerationForm,
)
from blindspots_hub.explorer.tabs.evaluate_parts.more_form import NO_MORE, More, MoreForm
from blindspots_hub.explorer.tabs.evaluate_parts.planning_aid import PlanningAid
from blindspots_hub.explorer.tabs.evaluate_parts.publishing import PublishPanel, log_in
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import zip_bundle
from blindspots_hub.explorer.tabs.evaluate_parts.running import (
    RunningPage,
    pictures,
)
from blindspots_hub.explorer.tabs.running_tab import RunningTab
from blindspots_hub.serving.deployment import PUBLIC_SECONDS
from blindspots_hub.serving.estimate import estimate
from blindspots_hub.utils.durations import duration

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

_log = logging.getLogger(__name__)

IDLE = notice(
    "idle",
    "Nothing is running.",
    "The model draws the captions of natural images; both sides become concepts, and the map shows "
    "where they differ. A run that you stop goes on where it was when you run it again.",
)


class EvaluateTab(RunningTab):
    """Mine: a form, the running page, the result. What was evaluated joins the session's bundles.

    Nothing in it depends on the view: a model is evaluated in the concepts of the page's bundle.
    """

    id = "evaluate"
    title = "Evaluate my model"
    what = "evaluation"
    own_at = 3

    def build(self, page: Page) -> None:
        """The form, and beside it what runs or has run."""
        self._begin(page)
        self.evaluations = Evaluations(page.catalog, page.options)
        most = self._site.most_pairs(len(page.catalog.home.image_ids(NATURAL)))
        least = 20 if most > 20 else 2
        most = max(most, least + 1)  # a slider has two ends, however few pairs a bundle has
        folder = "" if self._site.public else "a diffusers folder on this machine, "
        with gr.Row(elem_id="evaluate"):
            with gr.Column(scale=2, min_width=320, elem_id="form"):
                gr.HTML(
                    f"<h2>Evaluate a text-to-image model</h2><p>Known models, {folder}or the id of "
                    "a model on the Hugging Face Hub.</p>"
                )
                if self._site.login:
                    log_in(self._site)
                self.model = self._model_menu("eval-model")
                self.pairs = slider(
                    least,
                    most,
                    value=min(200, most),
                    step=1,
                    label="Pairs",
                    info="captions that the model draws; more pairs show smaller gaps",
                    elem_id="eval-pairs",
                )
                # No `minimum`: what it refuses never reaches the tab, which says it better.
                self.seed = gr.Number(0, label="Seed", precision=0, elem_id="eval-seed")
                self.planning = PlanningAid(self._catalog.home, least, most)
                self.advanced = GenerationForm()
                # A stranger's words name nothing on this machine, and one run is one model's.
                self.more = None if self._site.public else MoreForm(self._known)
                self.estimate = gr.HTML(elem_id="estimate")
                with gr.Row():
                    self.run = gr.Button("Run", variant="primary", elem_id="run")
                    self.cancel = gr.Button("Cancel", interactive=False, elem_id="cancel")
            with gr.Column(scale=3, min_width=320, elem_id="progress"):
                self.status = gr.HTML(IDLE, elem_id="status")
                with gr.Row(visible=False, equal_height=True, elem_id="result") as self.result:
                    self.explore_it = gr.Button(
                        "Explore it", variant="primary", elem_id="explore-it"
                    )
                    self.download = gr.DownloadButton(
                        # Out of reach until it has its file: it may be seen before it gets that.
                        "Download the bundle",
                        elem_id="download",
                        interactive=False,
                    )
                self.publish = PublishPanel(self._catalog, self._site)
        self.finished = gr.State("")

    @property
    def outputs(self) -> Sequence[Any]:
        """Nothing."""
        return []

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """Nothing."""
        return {}

    def wire(self, page: Page) -> None:
        """Run and Cancel, the estimate as the form changes, and the way to the result."""
        form = [self.model, self.pairs, self.seed]
        progress = [
            self.status, self.run, self.cancel, self.result, self.download, self.finished,
            page.own, *self.publish.shown,
        ]  # fmt: skip
        besides = [*self.advanced.fields, *(self.more.fields if self.more else ())]
        self._wire_run(page, [*form, page.own, *besides], progress)
        asked = [self.model, self.pairs, *besides]
        self.planning.wire(self.pairs)
        self._wire_estimate(
            [
                self.place.select,
                self.model.change,
                self.pairs.change,
                self.advanced.num_images_per_prompt.release,
                self.advanced.num_inference_steps.blur,
                self.advanced.guidance_scale.blur,
                self.advanced.size.blur,
                self.advanced.dtype.input,
                *((self.more.models.change, self.more.pairs_from.blur) if self.more else ()),
            ],
            asked,
            self.estimate,
        )
        self.explore_it.click(
            page.told(self._show), [self.finished, page.own], page.outputs, **AT_ONCE
        )
        self.publish.wire(self.finished)

    def _estimate(self, model: str, pairs: float, *fields: Any) -> str:
        try:
            spec, count, _ = self._site.accepted(model, pairs, 0, self._specs)
            choice, more = self._asked(spec, count, fields)
            found = estimate(
                spec, count, self._catalog.home, choice.num_images_per_prompt, more.models
            )
        except (BlindspotsError, TypeError, ValueError) as error:
            return notice("error", "This can’t be estimated.", self._meant(model, error))
        low, high = duration(found.seconds_low), duration(found.seconds_high)
        time_words = f"about {low}" if low == high else f"{low} to {high}"
        return notice("idle", f"Takes {time_words}.", found.sentence)

    def _asked(self, spec: str, pairs: int, fields: Sequence[Any]) -> tuple[GenerationChoice, More]:
        """What the fields of `GenerationForm` and `MoreForm` hold, or a `BlindspotsError`."""
        drawn = len(self.advanced.fields)
        choice = GenerationChoice.read(*fields[:drawn])
        more = More.read(*fields[drawn:]) if self.more else NO_MORE
        self._site.check_generations(
            spec, pairs, choice.num_images_per_prompt, choice.num_inference_steps, choice.size
        )
        return choice, More(tuple(more.after(spec)[1:]), more.pairs_from)

    def _clear(self) -> Updates:
        return {
            self.result: gr.update(visible=False),
            self.download: gr.update(value=None, interactive=False),
            self.publish.panel: gr.update(visible=False),
        }

    def _run(
        self,
        model: str,
        pairs: float,
        seed: float,
        own: list[str],
        *fields: Any,
        token: str | None = None,
    ) -> Iterator[Updates]:
        """The evaluation as what the page shows of it; closing this stops the work."""
        yield {
            self.status: notice("idle", "Getting ready.", "Loading what the evaluation needs."),
            self.finished: "",
        }
        yield from self._told_of(self._evaluated(model, pairs, seed, own, fields, token), model)

    def _evaluated(
        self,
        model: str,
        pairs: float,
        seed: float,
        own: list[str],
        fields: Sequence[Any],
        token: str | None,
    ) -> Iterator[Updates]:
        spec, pairs, seed = self._site.accepted(model, pairs, seed, self._specs)
        choice, more = self._asked(spec, pairs, fields)
        row = more.after(spec)
        seconds = PUBLIC_SECONDS if self._site.public else None
        for place, one in enumerate(row, 1):
            work = self.evaluations.work(one, pairs, seed, choice, token, more, spec)
            about = [
                self._title(one), f"model {place} of {len(row)}" if len(row) > 1 else "",
                f"{pairs:,} pairs", f"from {more.pairs_from}" if more.pairs_from else "",
                f"seed {seed}", choice.words,
            ]  # fmt: skip
            page = RunningPage(" · ".join(part for part in about if part))
            bundle = yield from pictures(work, page, self.status, seconds)
        identity = self._catalog.add(bundle.root)
        own = [*own, identity] if identity not in own else own
        entry = Entry(bundle, next(iter(bundle.models)))
        sentence = " ".join(verdict(bundle, model).sentence for model in bundle.models)
        titles = [Entry(bundle, model).title for model in bundle.models]
        ended = (
            f"{titles[0]} is evaluated."
            if len(titles) == 1
            else (f"{', '.join(titles[:-1])} and {titles[-1]} are evaluated.")
        )
        shown = page.html("finished", counts_line(entry, KINDS[0]))
        aside = result_notice(bundle, entry.model)
        offered = self.publish.offer(bundle)
        download, lacking = self._download(bundle)
        yield {
            self.status: notice("done", ended, sentence) + lacking + aside + shown,
            self.result: gr.Row(visible=True),
            self.download: download,
            self.finished: entry.key,
            self._page.own: own,
            **offered,
            **self._at_rest(),
        }

    def _download(self, bundle: Bundle) -> tuple[gr.DownloadButton, str]:
        """The button with the bundle as one file; where that cannot be written, none and why."""
        try:
            return gr.DownloadButton(value=str(zip_bundle(bundle)), interactive=True), ""
        except (BlindspotsError, OSError, ValueError) as error:
            _log.warning("%s cannot be offered for download: %s", bundle.root, error)
            told = "Its file to download could not be written; everything else is here."
            return gr.DownloadButton(value=None, interactive=False), notice(
                "idle", "There is no download.", told
            )

    def _show(self, key: str, own: list[str]) -> Updates:
        return self._page.go(view_of(self._catalog.entry(key)), own)
