"""The line that the embedded example is one, with the way from it to photographs."""

from __future__ import annotations

from html import escape

from blindspots_hub import paper
from blindspots_hub.artifacts.bundle import Bundle

EXAMPLE = "planted/"
"""What the backbone's source begins with in concept spaces that know the planted world only."""

COMMANDS = (
    f"python -m blindspots_hub import-published {paper.PUBLISHED_REPO} --out sae-32k",
    "python -m blindspots_hub new-bundle sae-32k --pairs-from my_captioned_photos/ --out photos",
    "python -m blindspots_hub evaluate sd15 --bundle photos --out runs/sd15",
)
"""From nothing to a model that is measured by the paper's concepts, on photographs."""


def is_example(bundle: Bundle) -> bool:
    """Whether a bundle's concepts are those of the planted world, whoever measured it."""
    backbone = bundle.concept_space.get("backbone")
    source = backbone.get("source") if isinstance(backbone, dict) else backbone
    return str(source).startswith(EXAMPLE)


def example_notice(bundle: Bundle) -> str:
    """The line as HTML; "" for a bundle that is no example."""
    if not is_example(bundle):
        return ""
    commands = "\n".join(COMMANDS)
    return (
        '<details class="example"><summary>This is an example: a small drawn world whose '
        "blindspots were planted on purpose. Its concepts do not fit photographs; "
        "<u>three commands go on with yours</u>.</summary>"
        f"<pre><code>{escape(commands)}</code></pre></details>"
    )
