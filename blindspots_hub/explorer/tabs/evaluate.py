"""The tab Evaluate my model: three lines, a running page, and the way to the result."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.analysis.deltas import KINDS
from blindspots_hub.analysis.summary import verdict
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.arrival import view_of
from blindspots_hub.explorer.page.catalog import Entry
from blindspots_hub.explorer.page.counts import counts_line
from blindspots_hub.explorer.page.domain_notice import result_notice
from blindspots_hub.explorer.page.format import duration
from blindspots_hub.explorer.page.listening import AT_ONCE, PRIVATE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.view import View, nearest
from blindspots_hub.explorer.tabs.base import Tab
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import (
    GenerationChoice,
    GenerationForm,
)
from blindspots_hub.explorer.tabs.evaluate_parts.planning_aid import PlanningAid
from blindspots_hub.explorer.tabs.evaluate_parts.publishing import PublishPanel, log_in
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import result_folder, zip_bundle
from blindspots_hub.explorer.tabs.evaluate_parts.running import (
    INTERVAL,
    RunningPage,
    pictures,
)
from blindspots_hub.serving.estimate import estimate
from blindspots_hub.serving.zerogpu import GpuRefused

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

SLOT = "evaluation"
"""One evaluation at a time on this server; others see their place in the queue."""

IDLE = notice(
    "idle",
    "Nothing is running.",
    "The model draws the captions of natural images; both sides become concepts, and the map shows "
    "where they differ. A run that you stop goes on where it was when you run it again.",
)


class EvaluateTab(Tab):
    """Mine: a form, the running page, the result. What was evaluated joins the session's bundles.

    Nothing in it depends on the view: a model is evaluated in the concepts of the page's bundle.
    """

    id = "evaluate"
    title = "Evaluate my model"

    def build(self, page: Page) -> None:
        """The form, and beside it what runs or has run."""
        self._page, self._catalog = page, page.catalog
        self._known = list(page.options.known_models)
        self._specs = [spec for _, spec in self._known]
        self._site = page.options.site
        self._busy = threading.Lock()
        most = self._site.most_pairs(len(page.catalog.home.image_ids(NATURAL)))
        least = min(20, most)
        folder = "" if self._site.public else "a diffusers folder on this machine, "
        with gr.Row(elem_id="evaluate"):
            with gr.Column(scale=2, min_width=320, elem_id="form"):
                gr.HTML(
                    f"<h2>Evaluate a text-to-image model</h2><p>Known models, {folder}or the id of "
                    "a model on the Hugging Face Hub.</p>"
                )
                if self._site.login:
                    log_in(self._site)
                self.model = gr.Dropdown(
                    self._known,
                    value=self._known[0][1] if self._known else None,
                    label="Model",
                    info="name or org/name" if self._site.public else "name, folder, or org/name",
                    allow_custom_value=True,
                    elem_id="eval-model",
                )
                self.pairs = gr.Slider(
                    least,
                    most,
                    value=min(200, most),
                    step=1,
                    label="Pairs",
                    info="captions that the model draws; more pairs show smaller gaps",
                    elem_id="eval-pairs",
                )
                self.seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="eval-seed")
                self.planning = PlanningAid(self._catalog.home, least, most)
                self.advanced = GenerationForm()
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
                    self.download = gr.DownloadButton("Download the bundle", elem_id="download")
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
        buttons = [self.status, self.run, self.cancel, self.result, self.publish.panel]
        self.run.click(self._waiting, None, buttons, **AT_ONCE)
        running = self.run.click(
            self._run,
            [*form, page.own, *self.advanced.fields],
            progress,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=self.status,
            concurrency_limit=1,
            concurrency_id=SLOT,
            # "once" would swallow a click while the page still believes a stopped run to go on.
            trigger_mode="multiple",
        )
        self.cancel.click(
            self._stopped, self.finished, [self.status, self.run, self.cancel],
            cancels=[running], **AT_ONCE,
        )  # fmt: skip
        asked = [self.model, self.pairs, *self.advanced.fields]
        for event in (
            self.place.select,
            self.model.change,
            self.pairs.release,
            self.planning.wire(self.pairs).then,
            self.advanced.num_images_per_prompt.release,
            self.advanced.num_inference_steps.blur,
            self.advanced.size.blur,
        ):
            event(self._estimate, asked, self.estimate, **PRIVATE)
        self.explore_it.click(
            page.told(self._show), [self.finished, page.own], page.outputs, **AT_ONCE
        )
        self.publish.wire(self.finished)

    def _estimate(self, model: str, pairs: float, *fields: Any) -> str:
        try:
            spec, count, _ = self._site.accepted(model, pairs, 0, self._specs)
            choice = self._asked(spec, count, fields)
            found = estimate(spec, count, self._catalog.home, choice.num_images_per_prompt)
        except BlindspotsError as error:
            return notice("error", "This can’t be estimated.", self._meant(model, error))
        low, high = duration(found.seconds_low), duration(found.seconds_high)
        time_words = f"about {low}" if low == high else f"{low} to {high}"
        return notice("idle", f"Takes {time_words}.", found.sentence)

    def _asked(self, spec: str, pairs: int, fields: Sequence[Any]) -> GenerationChoice:
        """What the fields of `GenerationForm` hold, or a `BlindspotsError`."""
        choice = GenerationChoice.read(*fields)
        self._site.check_generations(
            spec, pairs, choice.num_images_per_prompt, choice.num_inference_steps, choice.size
        )
        return choice

    def _waiting(self) -> Updates:
        """At once when Run is pressed, also where others are first in the queue."""
        return {
            self.status: notice("idle", "Waiting.", "One model is evaluated at a time."),
            self.run: gr.Button(interactive=False),
            self.cancel: gr.Button(interactive=True),
            self.result: gr.Row(visible=False),
            self.publish.panel: gr.Column(visible=False),
        }

    def _run(
        self, model: str, pairs: float, seed: float, own: list[str], *fields: Any
    ) -> Iterator[Updates]:
        """The evaluation as what the page shows of it; closing this stops the work."""
        yield {
            self.status: notice("idle", "Getting ready.", "Loading what the evaluation needs."),
            self.finished: "",
        }
        try:
            spec, pairs, seed = self._site.accepted(model, pairs, seed, self._specs)
            choice = self._asked(spec, pairs, fields)
            self._site.check_size(spec, self._specs)
            from blindspots_hub.runs.evaluate import evaluate

            while not self._busy.acquire(timeout=INTERVAL):
                yield {self.status: notice("idle", "Waiting.", "A stopped run ends its image.")}
            try:
                home = self._catalog.home
                work = evaluate.stream(
                    spec,
                    result_folder(self._page.options.evaluations, home, spec, pairs, seed, choice),
                    pairs=pairs,
                    seed=seed,
                    num_images_per_prompt=choice.num_images_per_prompt,
                    bundle=home,
                    num_inference_steps=choice.num_inference_steps,
                    guidance_scale=choice.guidance_scale,
                    height=choice.size,
                    width=choice.size,
                    dtype=choice.dtype,
                    batch_size=self._site.batch_size,
                    previews=True,
                )
                about = [self._title(spec), f"{pairs:,} pairs", f"seed {seed}", choice.words]
                page = RunningPage(" · ".join(part for part in about if part))
                bundle = yield from pictures(work, page, self.status)
            finally:
                self._busy.release()
            identity = self._catalog.add(bundle.root)
            own = [*own, identity] if identity not in own else own
            entry = Entry(bundle, next(iter(bundle.models)))
            sentence = verdict(bundle, entry.model).sentence
        except GpuRefused as error:
            yield {
                self.status: notice("idle", "The evaluation pauses.", str(error)),
                **self._at_rest("Continue"),
            }
            return
        except BlindspotsError as error:
            yield {
                self.status: notice("error", "The evaluation stopped.", self._meant(model, error)),
                **self._at_rest(),
            }
            return
        except Exception:
            yield {
                self.status: notice(
                    "error",
                    "The evaluation failed.",
                    "This is a fault of the program, told in the server’s log; what was done is "
                    "kept, run again to go on.",
                ),
                **self._at_rest(),
            }
            raise
        yield {
            self.status: notice("done", f"{entry.title} is evaluated.", sentence)
            + result_notice(bundle, entry.model)
            + page.html("finished", counts_line(entry, KINDS[0])),
            self.result: gr.Row(visible=True),
            self.download: gr.DownloadButton(value=str(zip_bundle(bundle))),
            self.finished: self._catalog.entry(f"{identity}/{entry.model}").key,
            self._page.own: own,
            **self.publish.offer(bundle),
            **self._at_rest(),
        }

    def _at_rest(self, label: str = "Run") -> Updates:
        return {
            self.run: gr.Button(label, interactive=True),
            self.cancel: gr.Button(interactive=False),
        }

    def _stopped(self, finished: str) -> Updates:
        if finished:  # it ended before the click arrived
            return self._at_rest()
        return {
            self.status: notice(
                "idle", "Stopped.", "What was done is kept: run the same again to go on."
            ),
            **self._at_rest(),
        }

    def _show(self, key: str, own: list[str]) -> Updates:
        return self._page.go(view_of(self._catalog.entry(key)), own)

    def _meant(self, said: str, error: BlindspotsError) -> str:
        """The sentence of an error, with the known model that was probably meant by its name."""
        told = str(error)
        if said in self._specs or said not in told:  # it was about something else
            return told
        meant = nearest(said, self._specs)
        return f"{told} Did you mean {meant}?" if meant else told

    def _title(self, spec: str) -> str:
        return next((title for title, known in self._known if known == spec), spec)
