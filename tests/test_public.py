"""The public API: what `import blindspots_hub` gives, and what it does not import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from synthetic_bundle import Synthetic, write_synthetic

import blindspots_hub as bh
from blindspots_hub.progress import Call, Event

HEAVY = {"torch", "gradio", "pandas", "datasets", "numpy", "pyarrow", "diffusers", "transformers"}
NOTEBOOK = Path(__file__).parents[1] / "examples/two_folders.ipynb"


@pytest.mark.parametrize(
    "what", ["import blindspots_hub as bh; dir(bh)", "import blindspots_hub.cli"]
)
def test_importing_is_light(what: str) -> None:
    code = f"{what}\nimport sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert not HEAVY & set(shown.split())


@pytest.mark.parametrize("name", bh.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    found = getattr(bh, name)
    if isinstance(found, Call):
        assert inspect.isgeneratorfunction(found.stream)
        assert found.__doc__
        assert repr(found).startswith("<call ")
    elif inspect.isclass(found):
        assert found.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = bh.nonsense


def test_a_call_works_when_it_is_called_and_streams_when_asked(tmp_path: Path) -> None:
    root = write_synthetic(tmp_path / "b", Synthetic(n_concepts=40, pairs=40))
    bundle = bh.load_bundle(root)
    again = bh.remeasure(bundle, tmp_path / "again", {"tau": 0.4})
    assert isinstance(again, bh.Bundle)
    stream = bh.remeasure.stream(bundle, tmp_path / "streamed", {})
    assert isinstance(next(stream), Event)
    stream.close()
    assert not (tmp_path / "streamed/bundle.json").exists()


def test_a_bundle_is_readable_in_a_notebook(tmp_path: Path) -> None:
    bundle = bh.load_bundle(write_synthetic(tmp_path / "b", Synthetic(n_concepts=200, pairs=200)))
    model = next(iter(bundle.models))
    assert "200 concepts; plain-a (200 pairs)" in repr(bundle)
    frame = bundle.frame(model)
    assert frame.columns[:2].tolist() == ["concept", "label"]
    assert len(frame) == 200
    blind = bundle.blindspots(model)
    wanted = frame["relative_state"].isin(["suppressed", "exaggerated"])
    assert sorted(blind["concept"]) == sorted(frame["concept"][wanted])
    assert len(blind)
    more = bundle.blindspots(model, two_fold=True)
    assert set(blind["concept"]) <= set(more["concept"])
    ends = more[["relative_gap_selected_low", "relative_gap_selected_high"]].to_numpy()
    nearest = np.maximum(ends[:, 0], -ends[:, 1]).clip(0)
    assert np.all(np.diff(nearest) <= 0)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    import json

    from nbclient import NotebookClient
    from nbformat import reads

    notebook = reads(NOTEBOOK.read_text(encoding="utf-8"), as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = json.dumps([cell.get("outputs", []) for cell in notebook.cells])
    assert "application/vnd.plotly" in outputs or "text/html" in outputs
    assert "in enough of them (20 or more) to be judged" in outputs


def test_a_bundle_shows_itself_and_its_page(tmp_path: Path) -> None:
    from urllib.request import urlopen

    spec = Synthetic(n_concepts=60, pairs=40, hostile=True, models={"a": "<b>A</b>"})
    bundle = bh.load_bundle(write_synthetic(tmp_path / "b", spec))
    html = bundle._repr_html_()
    assert "&lt;b&gt;A&lt;/b&gt;" in html
    assert "<td>40</td>" in html
    empty = bh.load_bundle(write_synthetic(tmp_path / "e", Synthetic(n_concepts=9, models={})))
    assert "No model yet" in empty._repr_html_()
    columns = bundle.blindspots("a").columns[:10].tolist()
    assert columns == [
        "concept", "label", "relative_state", "relative_certain", "fold", "relative_delta",
        "relative_delta_low", "relative_delta_high", "q", "support",
    ]  # fmt: skip
    address = bundle.show()
    assert address.startswith("http://127.0.0.1:")
    assert bundle.show() == address, "one page a bundle"
    with urlopen(address, timeout=30) as answer:
        assert b"blindspots" in answer.read()
