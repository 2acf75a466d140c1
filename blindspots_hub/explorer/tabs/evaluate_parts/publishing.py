"""From a finished evaluation to the Hub: a button where visitors log in, a command elsewhere."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from html import escape

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.hub.publish import Published, push
from blindspots_hub.artifacts.layout import DELTAS_PART
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.page.notice import notice
from blindspots_hub.explorer.tabs.evaluate_parts.running import RunningPage, pictures
from blindspots_hub.serving.deployment import Deployment
from blindspots_hub.utils.files import told_by_the_system

_log = logging.getLogger(__name__)

FIRST = "1.0.0"
"""Version that the form begins with."""

NAMESPACE = "YOUR-NAME"
"""Stands for the user's name in the command to copy."""


def log_in(site: Deployment) -> None:
    """The button to log in with, above the form: logging in loads the page anew."""
    reason = "publish your results under your name"
    if site.zerogpu:
        reason = f"have more GPU time, and to {reason}"
    gr.LoginButton(size="sm", elem_id="login")
    gr.HTML(f"<p class='hint'>Log in to {reason}. Everything else works without.</p>")


class PublishPanel:
    """What stands below a finished evaluation: how to publish it.

    The visitor's token is handed by Gradio to the one call that publishes, for as long as it runs;
    it is in no state, no log and no page.
    """

    def __init__(self, catalog: Catalog, site: Deployment) -> None:
        self._catalog, self._site = catalog, site
        with gr.Column(visible=False, elem_id="publish") as self.panel:
            if site.login:
                with gr.Row():
                    self.name = gr.Textbox(
                        label="Bundle name", scale=2, min_width=120, elem_id="publish-name"
                    )
                    self.version = gr.Textbox(
                        FIRST, label="Version", min_width=90, elem_id="publish-version"
                    )
                self.private = gr.Checkbox(
                    True, label="Private: only you see it", elem_id="publish-private"
                )
                self.push = gr.Button("Push to my account", elem_id="push")
                self.told = gr.HTML(elem_id="pushed")
            else:
                self.command = gr.Textbox(
                    label="Publish it on the Hugging Face Hub",
                    interactive=False,
                    lines=2,
                    buttons=["copy"],
                    elem_id="push-command",
                )

    @property
    def shown(self) -> list[gr.components.Component | gr.Column]:
        """What `offer` changes."""
        if self._site.login:
            return [self.panel, self.name, self.version, self.told]
        return [self.panel, self.command]

    def offer(self, bundle: Bundle) -> Updates:
        """Show the panel for a bundle that was just evaluated."""
        shown: Updates = {self.panel: gr.Column(visible=True)}
        if self._site.login:
            return {**shown, self.name: bundle.name, self.version: FIRST, self.told: ""}
        return {**shown, self.command: push_command(bundle, self._site)}

    def wire(self, finished: gr.State) -> None:
        """Attach the button to `finished`, the key of the evaluation that is to be published."""
        if self._site.login:
            self.push.click(
                self._push,
                [finished, self.name, self.version, self.private],
                [self.told, self.push],
                api_visibility="private",
                show_progress="minimal",
                show_progress_on=self.told,
                concurrency_limit=2,
            )

    def _push(
        self,
        finished: str,
        name: str,
        version: str,
        private: bool,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> Iterator[Updates]:
        """Publish the evaluation under the visitor's name; closing this stops it, it can go on."""
        if profile is None or token is None:
            yield {self.told: notice("idle", "Log in first.", "The button is above the form.")}
            return
        yield {self.push: gr.Button(interactive=False)}
        try:
            bundle = self._catalog.entry(finished).bundle
            work = push.stream(
                bundle.root,
                profile.username,
                version.strip(),
                name=name.strip() or None,
                private=private,
                token=token.token,
            )
            page = RunningPage(f"{profile.username}/{name.strip() or bundle.name} {version}")
            published = yield from pictures(work, page, self.told)
            told = _published(published, private)
        except (BlindspotsError, OSError) as error:
            refused = told_by_the_system(error) if isinstance(error, OSError) else error
            if refused is None:
                _log.warning("publishing failed: %s: %s", type(error).__name__, error)
                refused = BlindspotsError("The upload broke off: publish again, and it goes on.")
            told = notice("error", "It was not published.", self._catalog.said(refused))
        yield {self.told: told, self.push: gr.Button(interactive=True)}


def push_command(bundle: Bundle, site: Deployment) -> str:
    """The command that publishes a bundle; on a Space for the folder that was downloaded."""
    folder = bundle.name if site.public else str(bundle.root)
    command = ["python", "-m", "blindspots_hub", "push", folder, "--namespace", NAMESPACE]
    return shlex.join([*command, "--version", FIRST, "--private"])


def _published(published: Published, private: bool) -> str:
    repo = published.reference.repo(DELTAS_PART)
    where = published.collection or f"{endpoint()}/datasets/{repo.id}"
    seen = "Only you can see it." if private else "Everybody can see it."
    already = " It was published before, and is unchanged." if published.already else ""
    return (
        '<div class="notice is-done" role="status"><b>Published.</b>'
        f'<p><a href="{escape(where)}" target="_blank" rel="noopener">'
        f"{escape(str(published.reference))}</a>. {seen}{already}</p></div>"
    )


def endpoint() -> str:
    """The Hub that this process talks to."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)
