"""What a tab is: one file beside this one, which shows a `View` and names what it changes.

A tab builds its components once, and renders a view into them whenever the page asks. It knows the
page, which is the only way from one tab to another (`page.go`), and no other tab.
`tabs/registry.py` lists them all.

What takes its time comes after `render`: a custom component gets a new `turn` there and raises an
event of its own in the browser, whose listener (`PRIVATE`) computes and sends what is open. A
State's `change` is no way: Gradio's client raises it only for listeners in the queue (`AT_ONCE`
ones are not). `outputs` are few, because every listener that ends with `page.go` names them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import gradio as gr

from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.explorer.page.addressed import Addressed
from blindspots_hub.explorer.page.commands import another_model, evaluating
from blindspots_hub.explorer.page.listening import Updates
from blindspots_hub.explorer.page.view import View

if TYPE_CHECKING:
    from blindspots_hub.explorer.page.page import Page


class Tab(ABC):
    """One tab of the page.

    `id` names it in links and never changes; `title` is what its button says. The page puts
    `place`, the Gradio tab that holds the components, before it calls `wire`.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    place: gr.Tab

    def lacks(self, bundle: Bundle) -> str | None:
        """What a bundle lacks for this tab, and the command that makes it, as one sentence.

        The page shows it in the tab's place; None where the bundle has everything.
        """
        return None

    @abstractmethod
    def build(self, page: Page) -> None:
        """Make the components: those of the tab that the page opens with show `page.first`.

        The others are rendered when they are opened for the first time.
        """

    @property
    @abstractmethod
    def outputs(self) -> Sequence[Any]:
        """The components that `render` changes."""

    @abstractmethod
    def render(self, view: View, own: Sequence[str]) -> Updates:
        """`view` on the screen: an update of each of `outputs`.

        The bundle lacks nothing. `own` are the ids of the bundles that this session made.
        """

    def addressed(self) -> Mapping[str, Addressed]:
        """What of the tab is asked for by an address, by name; to be told before it is built."""
        return {}

    def wire(self, page: Page) -> None:  # noqa: B027 - many tabs have nothing to listen to
        """Attach the listeners, once all tabs are built."""


def no_model(bundle: Bundle) -> str | None:
    """What a bundle without any model lacks."""
    if bundle.models:
        return None
    return (
        f"The bundle {bundle.name} holds natural images and no model yet: "
        f"{evaluating(bundle, another_model(bundle))} measures one."
    )
