"""The named endpoints of the page, and its MCP tools: `blindspots`, `concept`, `compare`, …"""

# No `from __future__ import annotations`: Gradio reads the types of answers as they stand.

import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, get_type_hints

import gradio as gr
from pydantic import TypeAdapter

from blindspots_hub.analysis.summary import verdict
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.arrival import view_of
from blindspots_hub.explorer.page.catalog import Catalog, Entry
from blindspots_hub.explorer.page.page_options import PageOptions
from blindspots_hub.explorer.programs.answer_types import EvaluateAnswer
from blindspots_hub.explorer.programs.guide import ROUTE, programs_guide
from blindspots_hub.explorer.programs.questions import Questions
from blindspots_hub.explorer.programs.readme import README_ROUTE, readme, readme_page
from blindspots_hub.explorer.tabs.evaluate_parts.evaluations import Evaluations
from blindspots_hub.explorer.tabs.evaluate_parts.generation_form import USUAL
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import SLOT
from blindspots_hub.serving.deployment import PUBLIC_SECONDS
from blindspots_hub.serving.listeners import LISTENERS
from blindspots_hub.serving.zerogpu import GpuRefused
from blindspots_hub.utils.durations import duration
from blindspots_hub.utils.files import told_by_the_system

AT_ONCE = 4
"""Questions that are answered at once; more wait in the queue."""

INTERVAL = 1.0
"""Seconds between two steps that an evaluation tells of."""


def add_endpoints(
    blocks: gr.Blocks, catalog: Catalog, options: PageOptions, evaluations: Evaluations
) -> None:
    """Add the endpoints to `blocks`, on a page of their own, which tells people of them.

    The page's own listeners are private, so that these are all that a program sees; and whoever
    looks at the explorer is not sent what only programs use.
    """
    questions = Questions(catalog)
    asked = (questions.blindspots, questions.concept, questions.compare, questions.pairs)
    evaluate = _evaluate(catalog, options, evaluations)
    model = next(iter(catalog.home.models), "alder-1")
    with blocks.route("For programs", ROUTE, show_in_navbar=False):
        gr.HTML(programs_guide((*asked, evaluate), model), elem_id=ROUTE)
        for question in asked:
            _endpoint(
                _told(question, options), concurrency_limit=AT_ONCE, concurrency_id="questions"
            )
        _endpoint(evaluate, answer=EvaluateAnswer, concurrency_limit=1, concurrency_id=SLOT)
    if readme():
        with blocks.route("README", README_ROUTE, show_in_navbar=False):
            gr.HTML(readme_page(), elem_id=README_ROUTE)


def _endpoint(function: Callable[..., Any], answer: Any = None, **queueing: Any) -> None:
    made = gr.api(function, api_name=function.__name__, **queueing)
    blocks = gr.context.Context.root_block
    kind = answer or get_type_hints(function)["return"]
    # Gradio knows the plain types only.
    blocks.fns[made["id"]].outputs[0]._api_info = TypeAdapter(kind).json_schema()


def _told(question: Callable[..., Any], options: PageOptions) -> Callable[..., Any]:
    """`question` with what it refuses as an error of one sentence."""

    @wraps(question)
    def asked(*args: Any, **kwargs: Any) -> Any:
        try:
            return question(*args, **kwargs)
        except BlindspotsError as error:
            raise gr.Error(options.site.told(str(error)), print_exception=False) from error

    return asked


def _evaluate(
    catalog: Catalog, options: PageOptions, evaluations: Evaluations
) -> Callable[..., Iterator[EvaluateAnswer]]:
    site = options.site

    def evaluate(
        request: gr.Request, model: str, pairs: int = 200, seed: int = 0
    ) -> Iterator[EvaluateAnswer]:
        """Evaluate a text-to-image model against natural images: minutes to hours, one at a time.

        Args:
            model: A known model ("planted/alder-1"), or an id of the Hugging Face Hub ("org/name").
            pairs: Captions that it draws; more pairs show smaller gaps. A public page bounds them.
            seed: Seed of its images, a whole number.

        Returns:
            Steps (stage, done of total), and at the end `finished` with the model's name, what was
            judged and found, and the link that shows it. The bundle in that link is
            what the other tools take as `bundle`.

        The same request goes on where it was stopped. What is refused is an error of one sentence.
        """
        session = request.session_hash if request else None
        if site.public and (session is None or not LISTENERS.hears(session)):
            return  # a job that was only sent is dropped
        try:
            spec, count, number = site.accepted(model, pairs, seed, evaluations.known)
            site.check_generations(
                spec, count, USUAL.num_images_per_prompt, USUAL.num_inference_steps, USUAL.size
            )
            yield from _steps(site.public, evaluations, spec, count, number)
        except (BlindspotsError, GpuRefused, OSError) as error:
            sent = told_by_the_system(error) if isinstance(error, OSError) else error
            raise gr.Error(site.told(str(sent or error)), print_exception=False) from error

    return evaluate


def _steps(
    public: bool, evaluations: Evaluations, spec: str, pairs: int, seed: int
) -> Iterator[EvaluateAnswer]:
    answer: EvaluateAnswer = {
        "stage": "getting ready",
        "done": 0,
        "total": 1,
        "finished": False,
        "model": "",
        "sentence": "",
        "link": "",
    }
    yield answer
    work = evaluations.work(spec, pairs, seed, USUAL)
    began, told = time.monotonic(), 0.0
    try:
        while True:
            try:
                event = next(work)
            except StopIteration as end:
                bundle = end.value
                break
            if public and time.monotonic() - began > PUBLIC_SECONDS:
                raise BlindspotsError(
                    f"One evaluation has {duration(PUBLIC_SECONDS)} at a time here: what is done "
                    "is kept, ask for the same again to go on."
                )
            if time.monotonic() - told >= INTERVAL:
                told = time.monotonic()
                yield {**answer, "stage": event.stage, "done": event.done, "total": event.total}
    finally:
        work.close()
    entry = Entry(bundle, next(iter(bundle.models)))
    yield {
        "stage": "finished",
        "done": pairs,
        "total": pairs,
        "finished": True,
        "model": entry.model,
        "sentence": verdict(bundle, entry.model).sentence,
        "link": view_of(entry).link,
    }
