"""What Evaluate and Stress test share: a form whose work runs for minutes, beside what it shows.

One run at a time on the server, whichever tab it is of. On one's own machine it goes on when its
page is closed, and a page that is opened comes back to it; a visitor's ends with the visit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gradio as gr

from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.listening import AT_ONCE, NEWEST, Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.page.view import nearest
from blindspots_hub.explorer.tabs.base import Tab
from blindspots_hub.explorer.tabs.evaluate_parts.job import Job
from blindspots_hub.explorer.tabs.evaluate_parts.one_at_a_time import INTERVAL, SLOT
from blindspots_hub.serving.listeners import LISTENERS
from blindspots_hub.serving.zerogpu import GpuRefused
from blindspots_hub.utils.files import told_by_the_system

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page

_log = logging.getLogger(__name__)


class RunningTab(Tab):
    """A tab with `status`, `run` and `cancel`, and `finished`, a state that says what has ended.

    `what` is what sentences call its run; `own_at` is the place of the session's own bundles among
    what `_run` is asked with.
    """

    what: ClassVar[str]
    own_at: ClassVar[int]
    status: gr.HTML
    run: gr.Button
    cancel: gr.Button
    finished: gr.State
    _run: Callable[..., Iterator[Updates]]
    """The work as what the page shows of it; closing this stops it."""
    _estimate: Callable[..., str]
    """How long it would take, as HTML."""

    def _begin(self, page: Page) -> None:
        """To be called by `build`, before all else."""
        self._page, self._catalog = page, page.catalog
        self._known = list(page.options.known_models)
        self._specs: Sequence[str] = [spec for _, spec in self._known]
        self._site = page.options.site
        self._job: Job | None = None
        self._watching: set[str | None] = set()
        """Sessions that see that job: who waits for another run does not stop it."""

    def _model_menu(self, elem_id: str) -> gr.Dropdown:
        """The known models to choose from, or the name of another."""
        return gr.Dropdown(
            self._known,
            value=self._known[0][1] if self._known else None,
            label="Model",
            info="name or org/name" if self._site.public else "name, folder, or org/name",
            allow_custom_value=True,
            elem_id=elem_id,
        )

    def _clear(self) -> Updates:
        """What is hidden while a run is under way, by `gr.update`.

        It is asked for while the page is built, too, where a component that is made stays in it.
        """
        return {}

    def _wire_run(self, page: Page, asked: Sequence[Any], progress: Sequence[Any]) -> None:
        """Attach Run and Cancel; `asked` is what `_run` gets, `progress` what it changes."""
        buttons = [self.status, self.run, self.cancel, *self._clear()]
        self.run.click(self._waiting, None, buttons, **AT_ONCE)
        running = self.run.click(
            self._for_visitor if self._site.login else self._for_anybody,
            list(asked),
            list(progress),
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=self.status,
            concurrency_limit=1,
            concurrency_id=SLOT,
            # "once" would swallow a click while the page still believes a stopped run to go on.
            trigger_mode="multiple",
        )
        # What is refused before it reaches the tab (a value that no field can hold, a full queue).
        running.failure(self._at_rest, None, [self.run, self.cancel], **AT_ONCE)
        stopped = [running]
        if not self._site.public:
            attached = page.on_load(
                self._attached, page.own, list(progress),
                api_visibility="private", show_progress="hidden", concurrency_limit=None,
            )  # fmt: skip
            stopped.append(attached)
        # One after the other: an answer that arrives while Gradio still cancels is lost.
        self.cancel.click(None, cancels=stopped, **AT_ONCE).then(
            self._stopped, self.finished, [self.status, self.run, self.cancel], **AT_ONCE
        )

    def _wire_estimate(self, changes: Sequence[Any], asked: Sequence[Any], shown: gr.HTML) -> None:
        """Show `_estimate` of `asked` whenever one of these events is raised."""
        # One listener of them all: of two, the older answer could come last and stay.
        gr.on(list(changes), self._estimate, list(asked), shown, **NEWEST)

    def _waiting(self) -> Updates:
        """At once when Run is pressed, also where others are first in the queue."""
        return {
            self.status: notice("idle", "Waiting.", "One model is evaluated at a time."),
            self.run: gr.Button(interactive=False),
            self.cancel: gr.Button(interactive=True),
            **self._clear(),
        }

    def _for_anybody(self, request: gr.Request, *asked: Any) -> Iterator[Updates]:
        """`_run` for a session that somebody listens to; on one's own machine it needs nobody."""
        if self._site.public:
            if self._heard(request):
                yield from self._run(*asked)
            return
        own = asked[self.own_at]
        request_of = (*asked[: self.own_at], *asked[self.own_at + 1 :])
        while self._job is not None and self._job.under_way and self._job.request != request_of:
            yield {self.status: notice("idle", "Waiting.", "One model is evaluated at a time.")}
            time.sleep(INTERVAL)
        if self._job is None or not self._job.under_way:
            self._job, self._watching = Job(request_of, self._run(*asked)), set()
        self._watching.add(request.session_hash)
        yield from self._watched(self._job, own)

    def _watched(self, job: Job, own: list[str]) -> Iterator[Updates]:
        """A job as this session sees it, which may have evaluated more than the one that began."""
        for updates in job.watch():
            if self._page.own in updates:
                added = [one for one in updates[self._page.own] if one not in own]
                updates = {**updates, self._page.own: [*own, *added]}
            yield updates

    def _attached(self, request: gr.Request, own: list[str]) -> Iterator[Updates]:
        """On load: back to the run that is under way."""
        job = self._job
        if job is None or not job.under_way:
            yield {self.status: gr.skip()}
            return
        yield self._waiting()
        self._watching.add(request.session_hash)
        yield from self._watched(job, own)

    def _for_visitor(
        self, request: gr.Request, token: gr.OAuthToken | None, *asked: Any
    ) -> Iterator[Updates]:
        """The same; models are asked for with the token of whoever is logged in."""
        if self._heard(request):
            yield from self._run(*asked, token=token.token if token else None)

    def _heard(self, request: gr.Request) -> bool:
        """Whether somebody waits for the answer: jobs that were only sent are dropped."""
        session = request.session_hash
        return not self._site.public or (session is not None and LISTENERS.hears(session))

    def _told_of(self, work: Iterator[Updates], model: str) -> Iterator[Updates]:
        """`work`, whose errors become what the page says of them; `model` is what was asked for."""
        try:
            yield from work
        except GpuRefused as error:
            told = self._site.told(str(error))
            yield {
                self.status: notice("idle", f"The {self.what} pauses.", told),
                **self._at_rest("Continue"),
            }
        except (BlindspotsError, OSError) as error:
            sent: Exception | None = error
            if isinstance(error, OSError):
                sent = told_by_the_system(error)
            if sent is None:
                sent = BlindspotsError(f"The system refuses it ({type(error).__name__}: {error}).")
            told = self._meant(model, sent)
            yield {
                self.status: notice("error", f"The {self.what} stopped.", told),
                **self._at_rest(),
            }
        except Exception as error:
            _log.exception("A run (%s) of %r failed.", self.what, model)
            yield {
                self.status: notice(
                    "error",
                    f"The {self.what} failed.",
                    "This is a fault of the program, told in the server’s log; what was done is "
                    "kept, run again to go on.",
                ),
                **self._at_rest(),
            }
            raise gr.Error(f"The {self.what} failed.", print_exception=False) from error

    def _at_rest(self, label: str = "Run") -> Updates:
        return {
            self.run: gr.Button(label, interactive=True),
            self.cancel: gr.Button(interactive=False),
        }

    def _stopped(self, request: gr.Request, finished: str) -> Updates:
        if self._job is not None and request.session_hash in self._watching:
            self._job.stop()
        if finished:  # it ended before the click arrived
            return self._at_rest()
        return {
            self.status: notice(
                "idle", "Stopped.", "What was done is kept: run the same again to go on."
            ),
            **self._at_rest(),
        }

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
