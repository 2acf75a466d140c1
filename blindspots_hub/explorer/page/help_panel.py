"""What `?` opens: what a concept is, how to read the scale, what the words mean, where to go on."""

from __future__ import annotations

import os
from html import escape

import blindspots_hub
from blindspots_hub import paper
from blindspots_hub.analysis.words import MEANING, SIGNS
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.artifacts.layout import LOCK
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.format import SCALE, THRESHOLDS
from blindspots_hub.explorer.programs.readme import readme

HUB = "https://huggingface.co/"
PAPER = f"https://arxiv.org/abs/{paper.ARXIV}"
WEIGHTS = f"{HUB}{paper.PUBLISHED_REPO}"
"""The published concepts."""

_FOLDERS = {"dataset": "datasets/", "space": "spaces/"}


def help_panel(bundle: Bundle) -> str:
    """The panel as HTML, closed."""
    states = "".join(
        f'<dt class="is-{state}">{SIGNS.get(state, "–")} {state}</dt><dd>{escape(meaning)}</dd>'
        for state, meaning in MEANING.items()
    )
    links = " · ".join(
        f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{escape(words)}</a>'
        for words, url in _links(bundle)
    )
    if readme():
        links += ' · <a href="./readme">The README</a>'
    return _PANEL.format(
        scale=SCALE,
        below=THRESHOLDS[0],
        above=THRESHOLDS[1],
        states=states,
        links=links,
        version=escape(blindspots_hub.__version__),
    )


_PANEL = """\
<dialog class="help" aria-labelledby="help-title"><header><h2 id="help-title">What this page \
shows</h2><button type="button" data-close aria-label="Close">×</button></header>
<h3>A concept</h3><p>A direction that a sparse autoencoder found in what DINOv2 sees in images: a \
texture, a thing, a part, an arrangement. It <b>fires</b> on the patches that show it; its \
<b>energy</b> in an image is what those patches carry together. Each point of the map is one \
concept, and near ones are alike.</p>
<h3>δ, the scale</h3><p>The model drew the captions of natural images, and every concept’s energy \
is compared: δ is {scale}. Below {below} a concept is \
suppressed ▼, above {above} exaggerated ▲. Relative δ compares by ratio, so that rare concepts \
count as much as common ones; absolute δ by difference.</p>
<h3>The interval</h3><p>Other pairs would give another δ; the bracket holds the true one as often \
as it says. A concept at the top of a ranking was picked because it is extreme, so rankings and \
the word <b>certain</b> use a wider interval. q is the share of false alarms among the concepts \
with a q this small; the null is what the method flags where nothing differs. \
The relative gap r, which relative δ is made of, goes from −1, never drawn, over 0, as in nature, \
to +1, only the model.</p>
<h3>The states</h3><dl>{states}</dl>
<h3>Names</h3><p>Names of concepts are hints: a person’s, or a method’s that the card names with \
its score. The images beside each claim are the proof: natural and generated for the same caption, \
pink where the concept fires.</p>
<h3>Keys</h3><p><kbd>/</kbd> searches, arrows walk the map, <kbd>Enter</kbd> opens, <kbd>Esc</kbd> \
closes, <kbd>+</kbd> <kbd>−</kbd> <kbd>0</kbd> zoom.</p>
<p class="links">{links} · <a href="./programs">For programs</a> · blindspots_hub \
{version}</p></dialog>"""


def _links(bundle: Bundle) -> list[tuple[str, str]]:
    found = [("The paper", PAPER), ("The published concepts (weights)", WEIGHTS)]
    space = os.environ.get("SPACE_ID")
    if space:
        found.append(("The code of this page", f"{HUB}spaces/{space}/tree/main"))
    return found + _published(bundle)


def _published(bundle: Bundle) -> list[tuple[str, str]]:
    """Where the bundle's repositories lie on the Hub, where it came from there."""
    path = bundle.root / LOCK
    if not path.is_file():
        return []
    from blindspots_hub.artifacts.hub.lock import Lock

    try:
        lock = Lock.parse(path.read_bytes(), LOCK)
    except (BlindspotsError, OSError):
        return []
    return [
        (f"This bundle’s {repo.part}", HUB + _FOLDERS.get(repo.kind, "") + repo.id)
        for repo in lock.repos
    ]
