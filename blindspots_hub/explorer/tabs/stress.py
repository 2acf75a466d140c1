"""The tab Stress test: is it really a blindspot? Verdicts, their images, and a form that asks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Entry, check_concept
from blindspots_hub.explorer.page.listening import EVERY, NEWEST_AT_ONCE, Updates, server_time
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.pictures import HEAT_JS
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.tabs.answer_parts.answer_list import COMING
from blindspots_hub.explorer.tabs.base import no_model
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import GenerationChoice
from blindspots_hub.explorer.tabs.evaluate_parts.running import RunningPage, pictures
from blindspots_hub.explorer.tabs.running_tab import RunningTab
from blindspots_hub.explorer.tabs.stress_parts.gallery import gallery, verdict_table
from blindspots_hub.explorer.tabs.stress_parts.results import Results
from blindspots_hub.explorer.tabs.stress_parts.stress_form import WIDTH, StressForm
from blindspots_hub.explorer.tabs.stress_parts.stress_runs import (
    GIVEN,
    SOURCES,
    WRITTEN,
    StressChoice,
    StressRuns,
)
from blindspots_hub.serving.deployment import PUBLIC_SECONDS
from blindspots_hub.serving.estimate import stress_estimate
from blindspots_hub.utils.durations import duration

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


class StressTab(RunningTab):
    """Verdicts on the view's model, the images of the open concept's test, and the form."""

    id = "stress"
    title = "Stress test"
    what = "stress test"
    own_at = 0

    def lacks(self, bundle: Bundle) -> str | None:
        """A model."""
        return no_model(bundle)

    def build(self, page: Page) -> None:
        """Verdicts and gallery on the left, the form on the right."""
        self._begin(page)
        self.runs = StressRuns(page.catalog, page.options)
        gr.HTML(
            "<h2>Is it really a blindspot?</h2><p>A concept that is missing may merely not have "
            "been asked for: here prompts ask for it. One that is drawn too often is held against "
            "natural images, by captions that do not name it.</p>",
            elem_id="stress-intro",
            elem_classes="tab-intro",
        )
        with gr.Row(elem_id="stress-screen"):
            with gr.Column(scale=3, min_width=320):
                self.tests = gr.HTML(
                    elem_id="stress-tests",
                    js_on_load=(Path(__file__).parent / "stress_parts/tests.js").read_text(
                        encoding="utf-8"
                    ),
                    turn=0,
                )
                self.gallery = gr.HTML(
                    elem_id="stress-gallery",
                    js_on_load=HEAT_JS,
                )
            with gr.Column(scale=2, min_width=320, elem_id="stress-form"):
                self.form = StressForm(
                    self._model_menu("stress-model"),
                    self._known,
                    [name for name in SOURCES if self._offered(name)],
                )
        form = self.form
        self.run, self.cancel, self.status = form.run, form.cancel, form.status
        self.finished = gr.State("")
        self.session = gr.State("")

    @property
    def outputs(self) -> Sequence[Any]:
        """Verdicts, gallery, and what the form begins with for a view."""
        return [self.tests, self.gallery, self.form.model, self.form.concepts]

    def render(self, view: View, own: Sequence[str]) -> Updates:
        """The verdicts of the bundle at once; the images are asked for by the browser."""
        entry = self._page.entry(view)
        suggested = self._suggested(entry, view)
        return {
            self.tests: gr.HTML(COMING, turn=server_time()),
            self.gallery: "",
            self.form.model: self._spec_of(entry),
            self.form.concepts: suggested,
        }

    def wire(self, page: Page) -> None:
        """Run and Cancel; a verdict's row opens its images; the estimate as the form changes."""
        form, fields = self.form, self.form.fields
        form.wire()
        progress = [
            self.status, self.run, self.cancel, self.finished, self.session, self.tests,
            page.own,
        ]  # fmt: skip
        self._wire_run(page, [page.own, page.view, self.session, *fields], progress)
        seen = [page.view, self.session]
        self.tests.draw(  # not in the queue, whose answers can be lost where a page was left
            page.told(self._draw), seen, [self.tests, self.gallery, *page.noted],
            **NEWEST_AT_ONCE,
        )  # fmt: skip
        self.tests.open(
            **page.latest("stress", self._open, seen),
            outputs=[self.tests, self.gallery, form.concepts, *page.noted], **EVERY,
        )  # fmt: skip
        page.note_heat(self.gallery)
        form.file.read(
            page.told(self._read, "The prompts can’t be read."), None,
            [form.lines, form.source, *page.faults], **EVERY,
        )  # fmt: skip
        self._wire_estimate(
            [
                self.place.select,
                form.model.change,
                form.against.change,
                form.concepts.change,
                form.source.change,
                form.lines.change,
                form.writer.blur,
                form.prompts.release,
                form.images.release,
                form.advanced.num_inference_steps.blur,
                form.advanced.guidance_scale.blur,
                form.advanced.size.blur,
                form.advanced.dtype.input,
            ],
            [page.view, self.session, *fields],
            form.estimate,
        )

    # ---- what happens ------------------------------------------------------------------------

    def _spec_of(self, entry: Entry) -> str | None:
        """The known model that is the view's by its name; else the first."""
        named = [spec for spec in self._specs if spec.rpartition("/")[2] == entry.model]
        return next(iter((*named, *self._specs)), None)

    def _suggested(self, entry: Entry, view: View) -> str:
        """The open concept; else the surest suppressed ones of the model."""
        if view.concept is not None:
            return str(view.concept)
        reading = entry.reading("relative")
        return ", ".join(map(str, reading.blindspots("suppressed")[:3]))

    def _results(self, bundle: Bundle, session: str) -> Results:
        return Results(bundle, self.runs.beside(bundle, session))

    def _shown(self, view: View, session: str) -> Updates:
        entry = self._page.entry(view)
        results = self._results(entry.bundle, session)
        rows = results.of_model(entry.model)
        there = {row["concept"]: row for row in rows}
        concept = view.concept if view.concept in there else next(iter(there), None)
        row = None if concept is None else there[concept]
        images = [] if concept is None else results.images(concept, entry.model)
        return {
            self.tests: gr.HTML(verdict_table(entry, rows, concept), turn=0),
            self.gallery: gallery(entry, row, images, view.heat),
        }

    def _draw(self, view: View, session: str) -> Updates:
        try:
            return self._shown(view, session)
        except BlindspotsError as error:  # in its place: else it would be asked for again
            told = notice("error", "The verdicts can’t be shown.", self._catalog.said(error))
            return {self.tests: gr.HTML(told, turn=0), self.gallery: ""}

    def _open(self, event: gr.EventData, view: View, session: str) -> Updates:
        concept = check_concept(self._catalog.bundle(view.bundle), int(event.i))
        view = replace(view, concept=concept, tab=self.id)
        return {
            **self._shown(view, session),
            self.form.concepts: str(concept),
            **self._page.at(view),
        }

    def _choice(self, view: View, fields: Sequence[Any]) -> StressChoice:
        """What the form asks for, within the bounds of the site; else a `BlindspotsError`."""
        model, against, concepts, source, lines, prompts, seed, writer, writer_model = fields[:9]
        if not self._offered(str(source)):
            raise BlindspotsError(
                "A language model writes prompts on one’s own machine only: take others here."
            )
        if len(str(lines or "")) > WIDTH:
            raise BlindspotsError(f"The prompts have more than {WIDTH:,} characters: take fewer.")
        spec, count, number = self._site.accepted(model, prompts, seed, self._specs)
        second = ""
        if isinstance(against, str) and against.strip():
            second, _, _ = self._site.accepted(against, prompts, seed, self._specs)
        generation = GenerationChoice.read(*fields[9:])
        choice = StressChoice.read(
            self._catalog.bundle(view.bundle), spec, second, str(concepts)[:300], str(source),
            str(lines or ""), count, number, generation, str(writer or ""), str(writer_model or ""),
        )  # fmt: skip
        self._site.check_generations(
            spec, choice.images, 1, generation.num_inference_steps, generation.size
        )
        return choice

    def _offered(self, source: str) -> bool:
        return source != WRITTEN or not self._site.public

    def _read(self, event: gr.EventData) -> Updates:
        """A file of prompts that the browser has read: into the field, as they are."""
        lines = self.runs.prompts_in(str(event.text)[: WIDTH + 1], str(event.file)[-80:])
        return {
            self.form.lines: "\n".join(lines),
            self.form.source: GIVEN,
            **self._page.no_fault,
        }

    def _estimate(self, view: View, session: str, *fields: Any) -> str:
        try:
            choice = self._choice(view, fields)
        except (BlindspotsError, TypeError, ValueError) as error:
            return notice("idle", "This can’t be estimated.", self._meant(fields[0], error))
        found = stress_estimate(
            choice.model,
            choice.against or None,
            choice.prompts * len(choice.concepts),
            choice.generation.num_images_per_prompt,
            self.runs.measured(self._catalog.bundle(view.bundle), choice, session),
        )
        words = f"{duration(found.seconds_low)} to {duration(found.seconds_high)}"
        return notice("idle", f"Takes {words}.", found.sentence)

    def _run(
        self,
        own: list[str],
        view: View,
        session: str,
        *fields: Any,
        token: str | None = None,
    ) -> Iterator[Updates]:
        """The test as what the page shows of it; closing this stops the work."""
        session = session or secrets.token_hex(8)
        yield {
            self.status: notice("idle", "Getting ready.", "Loading what the test needs."),
            self.finished: "",
            self.session: session,
        }
        yield from self._told_of(self._tested(view, session, fields, token), fields[0])

    def _tested(
        self, view: View, session: str, fields: Sequence[Any], token: str | None
    ) -> Iterator[Updates]:
        choice = self._choice(view, fields)
        bundle = self._catalog.bundle(view.bundle)
        work = self.runs.work(bundle, choice, session, token)
        page = RunningPage(choice.words)
        seconds = PUBLIC_SECONDS if self._site.public else None
        result = yield from pictures(work, page, self.status, seconds)
        told = " ".join(result.sentences)
        yield {
            self.status: notice("done", "The stress test is done.", told) + page.html("finished"),
            self.finished: choice.words,
            # The browser asks for what is shown: the visitor may look at another model by now.
            self.tests: gr.HTML(COMING, turn=server_time()),
            **self._at_rest(),
        }
