"""Reading a bundle: `load_bundle` and what it gives."""

from __future__ import annotations

from typing import Any

from blindspots_hub.artifacts.bundle.measurements import BundleMeasurements
from blindspots_hub.artifacts.bundle.pictures import BundlePictures, Redraw, Thumbnail
from blindspots_hub.artifacts.frames import blindspots, frame

__all__ = ["Bundle", "Redraw", "Thumbnail", "load_bundle"]


class Bundle(BundleMeasurements, BundlePictures):
    """A validated bundle on disk; tables are read when first asked for, and kept.

    Everything is read-only. `sources` are "natural" and the models' names. `redraw`, where a
    program sets it, draws images that the bundle does not hold. `hosted` says that it is shown to
    strangers, who are told no path of this machine; a program sets that, too.
    """

    hosted = False

    def __repr__(self) -> str:
        models = ", ".join(
            f"{name} ({entry.pairs:,} {'pairs' if entry.design == 'paired' else 'images'})"
            for name, entry in self.models.items()
        )
        shown = models or "no model yet"
        return f"<Bundle {self.name} {self.version}: {self.n_concepts:,} concepts; {shown}>"

    def _repr_html_(self) -> str:
        from blindspots_hub.notebook import bundle_html

        return bundle_html(self)

    def show(self, port: int | None = None) -> str:
        """Serve the page of this bundle on 127.0.0.1, without waiting, and return its address.

        `port` is by default the first free one from 7860 on; a taken one is a `BlindspotsError`.
        """
        from blindspots_hub.notebook import show

        return show(self, port)

    def frame(self, model: str) -> Any:
        """Every concept of a model as a labelled pandas frame."""
        return frame(self, model)

    def blindspots(self, model: str, two_fold: bool = False) -> Any:
        """What a model suppresses or exaggerates, surest first, as a labelled pandas frame.

        `two_fold` adds what is surely changed two-fold, within the paper's thresholds. It begins
        with the columns concept, label, relative_state, relative_certain, fold (generated over
        natural energy), relative_delta with relative_delta_low and relative_delta_high (its
        pointwise interval), q, and support (pairs in which it fires on either side; where there
        are no pairs, images of both sides together); the rest is the table DELTAS of SPEC.md. An
        unknown model is a `BlindspotsError`.
        """
        return blindspots(self, model, two_fold)


from blindspots_hub.artifacts.bundle.opening import load_bundle  # noqa: E402 - it makes a `Bundle`
