"""blindspots_hub: what a text-to-image model cannot draw, and what it draws too much.

    import blindspots_hub as bh

    bundle = bh.evaluate("planted/alder-1", "runs/alder", pairs=200)
    bundle.blindspots("alder-1")

Every call does its work when it is called and shows progress; `call.stream(...)` is the same work
as a generator of events. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from blindspots_hub.analysis.registry import ANALYSES as ANALYSES
    from blindspots_hub.artifacts.bundle import Bundle as Bundle
    from blindspots_hub.artifacts.bundle import load_bundle as load_bundle
    from blindspots_hub.artifacts.hub.fetch import pull as pull
    from blindspots_hub.artifacts.hub.publish import push as push
    from blindspots_hub.artifacts.hub.versions import versions as versions
    from blindspots_hub.concepts.backbone import Backbone as Backbone
    from blindspots_hub.concepts.rasae import RASAE as RASAE
    from blindspots_hub.errors import BlindspotsError as BlindspotsError
    from blindspots_hub.measure.settings import MeasureSettings as MeasureSettings
    from blindspots_hub.progress import Event as Event
    from blindspots_hub.runs.analyse import analyse as analyse
    from blindspots_hub.runs.combine import combine as combine
    from blindspots_hub.runs.compare import compare as compare
    from blindspots_hub.runs.confounds import confounds as confounds
    from blindspots_hub.runs.evaluate import evaluate as evaluate
    from blindspots_hub.runs.evaluate_sae import evaluate_sae as evaluate_sae
    from blindspots_hub.runs.folders import measure_folders as measure_folders
    from blindspots_hub.runs.generate import generate as generate
    from blindspots_hub.runs.import_published import import_published as import_published
    from blindspots_hub.runs.new_bundle import new_bundle as new_bundle
    from blindspots_hub.runs.remeasure import remeasure as remeasure
    from blindspots_hub.runs.report import report as report
    from blindspots_hub.runs.sample import link_rot as link_rot
    from blindspots_hub.runs.sample import sample as sample
    from blindspots_hub.runs.score_captions import score_captions as score_captions
    from blindspots_hub.runs.stress import stress_test as stress_test
    from blindspots_hub.runs.train_sae import train_sae as train_sae

_WHERE = {
    "ANALYSES": "analysis.registry",
    "Backbone": "concepts.backbone",
    "BlindspotsError": "errors",
    "Bundle": "artifacts.bundle",
    "Event": "progress",
    "MeasureSettings": "measure.settings",
    "RASAE": "concepts.rasae",
    "analyse": "runs.analyse",
    "combine": "runs.combine",
    "compare": "runs.compare",
    "confounds": "runs.confounds",
    "evaluate": "runs.evaluate",
    "evaluate_sae": "runs.evaluate_sae",
    "generate": "runs.generate",
    "import_published": "runs.import_published",
    "link_rot": "runs.sample",
    "load_bundle": "artifacts.bundle",
    "measure_folders": "runs.folders",
    "new_bundle": "runs.new_bundle",
    "pull": "artifacts.hub.fetch",
    "push": "artifacts.hub.publish",
    "remeasure": "runs.remeasure",
    "report": "runs.report",
    "sample": "runs.sample",
    "score_captions": "runs.score_captions",
    "stress_test": "runs.stress",
    "train_sae": "runs.train_sae",
    "versions": "artifacts.hub.versions",
}
"""The module of every public name, below this package."""

__all__ = ["__version__", *_WHERE]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
