"""The tab Evaluate my model: three lines, a running page, and the way to the result."""

from __future__ import annotations

import logging
import time
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
from blindspots_hub.explorer.page.format import duration
from blindspots_hub.explorer.page.listening import AT_ONCE, PRIVATE, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.view import View, nearest
from blindspots_hub.explorer.tabs.base import Tab
from blindspots_hub.explorer.tabs.evaluate_parts.evaluations import INTERVAL, SLOT, Evaluations
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import (
    GenerationChoice,
    GenerationForm,
)
from blindspots_hub.explorer.tabs.evaluate_parts.job import Job
from blindspots_hub.explorer.tabs.evaluate_parts.planning_aid import PlanningAid
from blindspots_hub.explorer.tabs.evaluate_parts.publishing import PublishPanel, log_in
from blindspots_hub.explorer.tabs.evaluate_parts.result_files import zip_bundle
from blindspots_hub.explorer.tabs.evaluate_parts.running import (
    RunningPage,
    pictures,
)
from blindspots_hub.serving.deployment import PUBLIC_SECONDS
from blindspots_hub.serving.estimate import estimate
from blindspots_hub.serving.listeners import LISTENERS
from blindspots_hub.serving.zerogpu import GpuRefused
from blindspots_hub.utils.files import told_by_the_system

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

_log = logging.getLogger(__name__)

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
        self.evaluations = Evaluations(page.catalog, page.options)
        self._specs = self.evaluations.known
        self._site = page.options.site
        self._job: Job | None = None
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
                # No `minimum`: what it refuses never reaches the tab, which says it better.
                self.seed = gr.Number(0, label="Seed", precision=0, elem_id="eval-seed")
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
            self._for_visitor if self._site.login else self._for_anybody,
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
        # What is refused before it reaches the tab (a value that no field can hold, a full queue).
        running.failure(self._refused, None, [self.run, self.cancel], **AT_ONCE)
        stopped = [running]
        if not self._site.public:
            attached = page.on_load(
                self._attached, page.own, progress,
                api_visibility="private", show_progress="hidden", concurrency_limit=None,
            )  # fmt: skip
            stopped.append(attached)
        self.cancel.click(
            self._stopped, self.finished, [self.status, self.run, self.cancel],
            cancels=stopped, **AT_ONCE,
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
        except (BlindspotsError, TypeError, ValueError) as error:
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

    def _for_anybody(
        self,
        request: gr.Request,
        model: str,
        pairs: float,
        seed: float,
        own: list[str],
        *fields: Any,
    ) -> Iterator[Updates]:
        """`_run` for a session that somebody listens to; on one's own machine it needs nobody."""
        if self._site.public:
            if self._heard(request):
                yield from self._run(model, pairs, seed, own, *fields)
            return
        asked = (model, pairs, seed, *fields)
        while self._job is not None and self._job.under_way and self._job.request != asked:
            yield {self.status: notice("idle", "Waiting.", "One model is evaluated at a time.")}
            time.sleep(INTERVAL)
        if self._job is None or not self._job.under_way:
            self._job = Job(asked, self._run(model, pairs, seed, own, *fields))
        yield from self._watched(self._job, own)

    def _watched(self, job: Job, own: list[str]) -> Iterator[Updates]:
        """A job as this session sees it, which may have evaluated more than the one that began."""
        for updates in job.watch():
            if self._page.own in updates:
                added = [one for one in updates[self._page.own] if one not in own]
                updates = {**updates, self._page.own: [*own, *added]}
            yield updates

    def _attached(self, own: list[str]) -> Iterator[Updates]:
        """On load: back to the run that is under way."""
        job = self._job
        if job is None or not job.under_way:
            yield {self.status: gr.skip()}
            return
        yield self._waiting()
        yield from self._watched(job, own)

    def _for_visitor(
        self,
        request: gr.Request,
        token: gr.OAuthToken | None,
        model: str,
        pairs: float,
        seed: float,
        own: list[str],
        *fields: Any,
    ) -> Iterator[Updates]:
        """The same; models are asked for with the token of whoever is logged in."""
        if self._heard(request):
            kept = token.token if token else None
            yield from self._run(model, pairs, seed, own, *fields, token=kept)

    def _heard(self, request: gr.Request) -> bool:
        """Whether somebody waits for the answer: jobs that were only sent are dropped."""
        session = request.session_hash
        return not self._site.public or (session is not None and LISTENERS.hears(session))

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
        try:
            spec, pairs, seed = self._site.accepted(model, pairs, seed, self._specs)
            choice = self._asked(spec, pairs, fields)
            work = self.evaluations.work(spec, pairs, seed, choice, token)
            about = [self._title(spec), f"{pairs:,} pairs", f"seed {seed}", choice.words]
            page = RunningPage(" · ".join(part for part in about if part))
            seconds = PUBLIC_SECONDS if self._site.public else None
            bundle = yield from pictures(work, page, self.status, seconds)
            identity = self._catalog.add(bundle.root)
            own = [*own, identity] if identity not in own else own
            entry = Entry(bundle, next(iter(bundle.models)))
            sentence = verdict(bundle, entry.model).sentence
            shown = page.html("finished", counts_line(entry, KINDS[0]))
            aside = result_notice(bundle, entry.model)
            offered = self.publish.offer(bundle)
        except GpuRefused as error:
            told = self._site.told(str(error))
            yield {
                self.status: notice("idle", "The evaluation pauses.", told),
                **self._at_rest("Continue"),
            }
            return
        except (BlindspotsError, OSError) as error:
            sent: Exception | None = error
            if isinstance(error, OSError):
                sent = told_by_the_system(error)
            if sent is None:
                sent = BlindspotsError(f"The system refuses it ({type(error).__name__}: {error}).")
            yield {
                self.status: notice("error", "The evaluation stopped.", self._meant(model, sent)),
                **self._at_rest(),
            }
            return
        except Exception as error:
            _log.exception("An evaluation of %r failed.", model)
            yield {
                self.status: notice(
                    "error",
                    "The evaluation failed.",
                    "This is a fault of the program, told in the server’s log; what was done is "
                    "kept, run again to go on.",
                ),
                **self._at_rest(),
            }
            raise gr.Error("The evaluation failed.", print_exception=False) from error
        download, lacking = self._download(bundle)
        yield {
            self.status: notice("done", f"{entry.title} is evaluated.", sentence)
            + lacking
            + aside
            + shown,
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

    def _at_rest(self, label: str = "Run") -> Updates:
        return {
            self.run: gr.Button(label, interactive=True),
            self.cancel: gr.Button(interactive=False),
        }

    def _refused(self) -> Updates:
        return self._at_rest()

    def _stopped(self, finished: str) -> Updates:
        if self._job is not None:
            self._job.stop()
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

    def _meant(self, said: str, error: Exception) -> str:
        """The sentence of an error, with the known model that was probably meant by its name."""
        told = self._site.told(str(error))
        if (
            not isinstance(said, str) or said in self._specs or said not in told
        ):  # it was about something else
            return told
        meant = nearest(said, self._specs)
        return f"{told} Did you mean {meant}?" if meant else told

    def _title(self, spec: str) -> str:
        return next((title for title, known in self._known if known == spec), spec)
