"""Pairs that are left out: each once, by its cause; the others stay in step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_fixtures import captioned_folder, paired_folders
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from blindspots_hub import planted
from blindspots_hub.analysis.summary import summary
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import NATURAL
from blindspots_hub.artifacts.validate import faults
from blindspots_hub.concepts.space import ConceptSpace
from blindspots_hub.data import identity
from blindspots_hub.data.images import open_image
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.generate import Failed, Generated, TextToImage
from blindspots_hub.runs import encoding
from blindspots_hub.runs.evaluate import evaluate
from blindspots_hub.runs.evaluation import DRAW
from blindspots_hub.runs.folders import measure_folders
from blindspots_hub.runs.pairing import pair_up
from blindspots_hub.runs.session import open_space

CAUSES = ["unreadable", "not_encoded", "missing", "blank", "pipeline_error"]


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=3),
        st.tuples(
            st.none() | st.sampled_from(CAUSES[:3]),
            st.lists(st.none() | st.sampled_from(CAUSES), min_size=1, max_size=3),
        ),
        max_size=12,
    )
)
def test_every_pair_is_measured_or_counted_once(
    pairs: dict[str, tuple[str | None, list[str | None]]],
) -> None:
    of_pair = {i: [f"{i}-{n}" for n in range(len(drawn))] for i, (_, drawn) in pairs.items()}
    natural = {i: cause for i, (cause, _) in pairs.items() if cause}
    failed = {f"{i}-{n}": c for i, (_, d) in pairs.items() for n, c in enumerate(d) if c}
    paired = pair_up(of_pair, natural, failed)
    assert paired.generations.keys() | paired.dropped.keys() == pairs.keys()
    assert not paired.generations.keys() & paired.dropped.keys()
    measured = {name for names in paired.generations.values() for name in names}
    assert measured | paired.out.keys() == {name for names in of_pair.values() for name in names}
    assert not measured & paired.out.keys()
    for pair_id, names in paired.generations.items():
        assert pair_id not in natural
        assert names
        assert not set(names) & failed.keys()
    names = [name for own in of_pair.values() for name in own]
    rows, pair = paired.rows(names)
    assert [names[row] for row in rows] == [n for own in paired.generations.values() for n in own]
    assert [list(paired.generations)[i] for i in pair] == [names[row].split("-")[0] for row in rows]


def _rows_correspond(bundle: Bundle, model: str) -> None:
    """Kept energies are those of each row's own images."""
    space = open_space(bundle)
    settings = bundle.model(model).settings
    patches = space.backbone.layout.patches if settings["tokens"] == "patches" else None
    pairs = dict(zip(*(bundle.pairs[c].to_pylist() for c in ("pair_id", "image")), strict=True))
    drawn = bundle.generations(model).to_pylist()
    images = {NATURAL: {i: cell["bytes"] for i, cell in pairs.items()}}
    images[model] = {row["pair_id"]: row["image"]["bytes"] for row in drawn if row["image"]}
    for source, contents in images.items():
        energies = bundle.energies(source)
        for row, image_id in enumerate(bundle.image_ids(source)):
            concepts, values = space.encode(open_image(contents[image_id])).energies(patches)
            a, b = energies.indptr[row : row + 2]
            assert np.array_equal(energies.concepts[a:b], concepts)
            assert np.array_equal(energies.energies[a:b], values)
    natural, generated = bundle.compared(model)
    assert natural.n_images == generated.n_images == bundle.model(model).pairs


def test_every_cause_at_once_and_the_rest_correspond(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A corrupt, a vanished and a refused natural image; a blank, a failed and a refused one;
    and one pair with a fault on either side, which is counted once."""
    monkeypatch.setattr(encoding, "SHARD", 5)
    paths = captioned_folder(tmp_path / "own", 24)
    for path in paths[:2]:  # their headers are whole: they are pairs until they are decoded
        path.write_bytes(path.read_bytes()[:300])
    captions = {path.stem: path.with_suffix(".txt").read_text() for path in paths}
    blank, failed, refused, both = (captions[f"{i:03}"] for i in (5, 6, 7, 1))
    assert Counter(captions.values())[both] == 1, "captions of the world may repeat"

    odd = Image.new("RGB", (64, 64), "red")
    odd.paste("black", (0, 0, 32, 64))
    attempt = TextToImage._attempt

    def faulty(self: TextToImage, pairs: list[tuple[str, str]], seed: int) -> object:
        (caption, _), (outcome,) = pairs[0], attempt(self, pairs, seed)
        if caption == blank:
            return [Generated(Image.new("RGB", outcome.image.size), outcome.seed, ("blank",))]
        if caption == refused:
            return [Generated(odd, outcome.seed, ())]
        return Failed("pipeline_error", "no") if caption in (failed, both) else [outcome]

    monkeypatch.setattr(TextToImage, "_attempt", faulty)
    codes_of_batch = ConceptSpace.codes_of_batch
    space = open_space(load_bundle(planted.BUNDLE))
    red = space.backbone.preprocess(odd)
    other = space.backbone.preprocess(open_image(paths[3]))

    def nan(self: ConceptSpace, pixels: torch.Tensor) -> object:
        if any(np.array_equal(image, one) for image in pixels for one in (red, other)):
            raise BlindspotsError("Tokens hold NaN.")
        return codes_of_batch(self, pixels)

    monkeypatch.setattr(ConceptSpace, "codes_of_batch", nan)
    out = tmp_path / "b"
    work = evaluate.stream("planted/cedar", out, pairs=24, pairs_from=str(tmp_path / "own"))
    ids = {identity.pair_id(captions[path.stem], path.read_bytes()): path for path in paths}
    gone = ids[max(i for i, path in ids.items() if int(path.stem) > 7)]
    next(event for event in work if event.stage == DRAW)
    gone.unlink()  # after the captions were read, before its shard is loaded
    for _ in work:
        pass
    bundle = load_bundle(out)
    assert faults(bundle.root) == []
    entry = bundle.model("cedar")
    assert entry.dropped == {
        "blank": 1,
        "generated_not_encoded": 1,
        "natural_missing": 1,
        "natural_not_encoded": 1,
        "natural_unreadable": 2,
        "pipeline_error": 1,
    }
    assert entry.pairs + sum(entry.dropped.values()) == 24
    rows = bundle.generations("cedar").to_pylist()
    # The generation that failed tells so, also where its pair is out for the natural image.
    own = {**entry.dropped, "natural_unreadable": 1, "pipeline_error": 2}
    assert Counter(row["status"] for row in rows) == {**own, "ok": entry.pairs}
    ok = [row["pair_id"] for row in rows if row["status"] == "ok"]
    assert ok == bundle.image_ids("cedar")
    assert "left out: 1 blank, 1 generated_not_encoded, 1 natural_missing" in summary(
        bundle, "cedar"
    )
    monkeypatch.undo()
    _rows_correspond(bundle, "cedar")


def test_folders_count_each_pair_once(tmp_path: Path) -> None:
    natural, generated = paired_folders(tmp_path, 24)
    for side, broken in ((natural, (3, 4)), (generated, (4, 5, 6))):
        for number in broken:
            path = side / f"{number:03}.png"
            path.write_bytes(path.read_bytes()[:500])
    (natural / "007.png").unlink()
    (generated / "008.png").unlink()
    bundle = measure_folders(natural, generated, tmp_path / "b")
    entry = bundle.model("generated")
    assert entry.pairs == 18
    assert entry.dropped == {
        "generated_unmatched": 1,
        "generated_unreadable": 2,
        "natural_unmatched": 1,
        "natural_unreadable": 2,
    }
    rows = bundle.generations("generated").to_pylist()
    assert [row["pair_id"] for row in rows if row["status"] == "ok"] == bundle.image_ids(
        "generated"
    )
    assert sorted(row["status"] for row in rows if row["status"] != "ok") == (
        ["generated_unreadable"] * 2 + ["natural_unreadable"] * 2
    )
