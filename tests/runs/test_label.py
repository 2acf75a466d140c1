"""`label`: the whole path over a chat server on this machine, by captions' words, and by CLIP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from chat_fixtures import ChatServer, Reply, chat
from typer.testing import CliRunner

from blindspots_hub import cli, planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.labels import CAPTION_WORDS, TRUTH, Label, rows_of
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.card.concept_card import concept_card
from blindspots_hub.explorer.page.catalog import Catalog
from blindspots_hub.naming.backends.base import Usage
from blindspots_hub.naming.backends.endpoint import Endpoint
from blindspots_hub.naming.faithfulness import held_out
from blindspots_hub.naming.prompts import prompt
from blindspots_hub.planted.factors import OBJECTS
from blindspots_hub.progress import drive
from blindspots_hub.runs.label import label
from blindspots_hub.runs.label_request import Labelled, Naming
from blindspots_hub.runs.label_run import SAVED_EVERY

__all__ = ["chat"]

SOME = (8, 50, 172, 245, 344, 355)
"""Concepts of the embedded bundle that stand for objects."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted.BUNDLE, tmp_path / "bundle"))


@pytest.fixture
def asking(chat: ChatServer) -> Callable[..., Endpoint]:
    def of(**options: Any) -> Endpoint:
        return Endpoint.of(chat.url, "tiny", sleep=lambda seconds: None, **options)

    return of


def json_name(name: str, sentence: str = "It fires on it.") -> Reply:
    return Reply(words=json.dumps({"label": name, "sentence": sentence}))


def is_judging(request: dict[str, Any]) -> bool:
    return "yes or no" in request["messages"][-1]["content"][0]["text"]


def named(root: Path, method: str = "image-text model") -> dict[int, Label]:
    return {o.concept: o for o in rows_of(load_bundle(root).label_table) if o.method == method}


def test_words_of_captions_name_planted_objects() -> None:
    """Of the concepts that stand for an object at least 80% get its name, without any model."""
    from blindspots_hub.naming.caption_words import caption_words
    from blindspots_hub.planted.benchmark.names import names_it

    bundle = load_bundle(planted.BUNDLE)
    ids = bundle.image_ids("natural")
    objects = [k for k, name in enumerate(bundle.labels) if name in OBJECTS]
    found = caption_words(bundle.energies("natural"), bundle.captions(ids), objects)
    hits = [
        word is not None and names_it(word.name, bundle.labels[k])
        for k, word in zip(objects, found, strict=True)
    ]
    assert len(objects) >= 15
    assert sum(hits) / len(hits) >= 0.8


def test_the_command_without_a_model(root: Path) -> None:
    told = CliRunner().invoke(cli.app, ["label", str(root), "-q"])
    assert told.exit_code == 0, told.output
    assert "concepts have a name (caption words)" in told.output
    assert "Faithfulness, judged by captions" in told.output
    found = named(root, CAPTION_WORDS)
    assert found[344].label == "bird feeder"
    assert found[344].provisional
    assert found[344].faithfulness > 0.7 > found[344].shuffled  # type: ignore[operator]
    bundle = load_bundle(root)
    assert bundle.identity == load_bundle(planted.BUNDLE).identity
    assert bundle.label_of(344).method == TRUTH  # type: ignore[union-attr]


def test_an_endpoint_names_and_judges(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path
) -> None:
    def answer(request: dict[str, Any], before: int) -> Reply:
        if is_judging(request):
            return Reply(words="Yes." if before % 2 else "no")
        number = sum(not is_judging(one.json) for one in chat.asked)
        return Reply(words=f'```json\n{{"label": "thing {number}", "sentence": "s"}}\n```')

    chat.answer = answer
    events: list[Any] = []
    found = drive(label.stream(root, asking(), Naming(SOME)), events.append)
    assert (found.asked, found.named, found.unnamed) == (6, 6, {})
    got = named(root)
    assert set(got) == set(SOME)
    one = got[344]
    assert one.label.startswith("thing ")
    assert (one.model, one.judge) == ("tiny (127.0.0.1)", "tiny (127.0.0.1)")
    assert one.prompt == prompt("name").sha256
    assert one.faithfulness is not None
    assert one.shuffled is not None
    assert "AUROC" in " ".join(found.sentences)
    naming = [o for o in chat.asked if not is_judging(o.json)]
    assert len(naming) == 6
    assert all(4 <= len(o.images) <= 12 for o in naming)
    assert all(len(o.images) == 1 for o in chat.asked if is_judging(o.json))
    # What was estimated before, against what the server counted.
    assert found.expected is not None
    assert 0.5 <= found.expected.questions / len(chat.asked) <= 2
    assert 0.5 <= found.expected.prompt_tokens / chat.tokens <= 2
    assert any("questions, about" in e.detail.get("estimate", "") for e in events)


def test_prices_make_the_estimate_money(asking: Callable[..., Endpoint], root: Path) -> None:
    from blindspots_hub.naming.estimate import Prices

    how = Naming(SOME, prices=Prices(1.0, 4.0), only_estimate=True)
    found = label(root, asking(), how)
    assert found.expected is not None
    assert found.expected.cost == pytest.approx(
        (found.expected.prompt_tokens + 4 * found.expected.answer_tokens) / 1e6, rel=0.01
    )
    assert found.named == 0


def test_the_time_is_estimated_by_the_first_answers(root: Path) -> None:
    """Half a minute a name and a third of one a verdict: told after three names, and so it was."""

    class Slow:
        name, sees_images, at_once, usage = "slow", True, 1, Usage()
        now = 0.0

        def ask(self, prompt: str, images: Sequence[Any] = ()) -> str:
            names = "json" in prompt.lower()
            self.now += 30.0 if names else 20.0
            return json.dumps({"label": f"thing {self.now}", "sentence": ""}) if names else "yes"

    slow, told = Slow(), list[Any]()
    how = Naming(SOME, clock=lambda: slow.now)
    found = drive(label.stream(root, slow, how), told.append)
    assert found.named == len(SOME)
    assert found.expected is not None
    assert 0.5 <= found.expected.seconds / slow.now <= 2
    said = [one.detail["estimate"] for one in told if "estimate" in one.detail]
    assert len(said) == 2
    assert said[1] == found.expected.words


def test_bad_answers_leave_a_concept_without_a_name(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path
) -> None:
    bad = [
        Reply(words="I'm sorry, I cannot help with that."),
        Reply(words='{"label": '),
        Reply(words='{"label": "unknown"}'),
        Reply(words=""),
        Reply(words="z" * 200_000),
        json_name("a really very long name that goes on and on and says nothing short"),
    ]
    chat.answer = lambda request, before: bad[before]
    found = label(root, asking(at_once=1), Naming(SOME, judge="none"))
    assert found.named == 0
    assert sum(found.unnamed.values()) == 6
    told = " ".join(found.unnamed)
    for words in ("refuses", "does not answer in the JSON", "finds no name", "answers nothing"):
        assert words in told
    chat.answer = lambda request, before: json_name("a thing")
    again = label(root, asking(), Naming(SOME, judge="none"))  # what got no name is asked again
    assert (again.named, again.before) == (6, 0)


def test_markup_in_a_name_is_text_everywhere(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path, tmp_path: Path
) -> None:
    from blindspots_hub.runs.report import report

    evil = "<img src=x onerror=alert(1)>"
    chat.answer = lambda request, before: json_name(evil, "<script>alert(2)</script>\u202e")
    label(root, asking(), Naming((0, 8, 68), judge="none"))
    table = load_bundle(root).label_table
    assert evil in table["label"].to_pylist()
    named_so = [o.concept for o in rows_of(table) if o.label == evil]
    CliRunner().invoke(cli.app, ["labels", str(root), "--set", str(named_so[0]), evil])
    bundle = load_bundle(root)
    entry = Catalog(bundle).entries()[0]
    html = concept_card(entry, "relative", named_so[0], [entry])
    assert "&lt;img src=x" in html
    assert "<img src=x" not in html
    assert "<script>alert(2)" not in html
    page = report(root, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "<script>alert(2)" not in page


def test_names_so_far_are_kept_and_the_same_call_goes_on(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path
) -> None:
    chat.answer = lambda request, before: (
        Reply(status=401) if before >= 3 else json_name(f"thing {before}")
    )
    with pytest.raises(BlindspotsError, match="does not accept the key"):
        label(root, asking(at_once=1), Naming(SOME, judge="none"))
    assert len(named(root)) == 3
    chat.answer = lambda request, before: json_name("later")
    asked = len(chat.asked)
    found = label(root, asking(at_once=1), Naming(SOME, judge="none"))
    assert len(chat.asked) - asked == 3
    assert (found.named, found.before) == (6, 3)
    assert sorted(o.label for o in named(root).values())[:3] == ["later"] * 3


def test_stopping_keeps_names(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path
) -> None:
    chat.answer = lambda request, before: json_name("thing")
    work = label.stream(root, asking(at_once=1), Naming(SOME, judge="none"))
    for event in work:
        if event.done == 2:
            break
    work.close()
    assert len(named(root)) == 2
    assert SAVED_EVERY > 2


def test_another_prompt_asks_anew_and_both_are_kept(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path, tmp_path: Path
) -> None:
    chat.answer = lambda request, before: json_name(f"name {before}")
    how = Naming(SOME[:1], judge="none")
    label(root, asking(), how)
    (tmp_path / "name.txt").write_text('Name it, as {{"label": …}}: {fires}, {silent}.')
    own = Naming(SOME[:1], judge="none", prompts=tmp_path)
    label(root, asking(), own)
    assert chat.asked[1].prompt.startswith('Name it, as {"label": …}: ')
    kept = [o.label for o in rows_of(load_bundle(root).label_table) if o.method != TRUTH]
    assert sorted(kept) == ["name 0", "name 1"]
    (tmp_path / "name.txt").write_text("Name {it}.")
    with pytest.raises(BlindspotsError, match=r"has the place \{it\}: there are fires, silent"):
        label(root, asking(), own)


@pytest.mark.parametrize(
    ("source", "how", "told"),
    [
        ("hf:owner/name", Naming(), "needs a token of the Hugging Face Hub"),
        ("http://127.0.0.1:9/v1", Naming(SOME, judge="none"), "cannot be reached"),
        ("nowhere", Naming(), "Names come from caption-words"),
        ("caption-words", Naming((512,)), "512 is no concept"),
        ("ftp://x", Naming(), "no address"),
    ],
)
def test_bad_input_is_one_sentence(
    chat: ChatServer, monkeypatch: pytest.MonkeyPatch, root: Path, source: str, how: Naming,
    told: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("blindspots_hub.naming.backends.endpoint.WAITS", (0.0,))
    with pytest.raises(BlindspotsError, match=told):
        label(root, source, how)


def test_a_model_without_images_and_a_silent_concept(
    chat: ChatServer, asking: Callable[..., Endpoint], root: Path
) -> None:
    with pytest.raises(BlindspotsError, match="takes no images"):
        label(root, asking(sees_images=False), Naming(SOME))
    bundle = load_bundle(root)
    silent = next(k for k in range(bundle.n_concepts) if _never_fires(bundle, k))
    for source in ("caption-words", asking()):
        found: Labelled = label(root, source, Naming((silent,)))
        assert found.unnamed == {"it fires in no image of this bundle.": 1}
    assert chat.asked == []


def _never_fires(bundle: Bundle, concept: int) -> bool:
    return not any(
        bundle.deltas(model)[column][concept].as_py()
        for model in bundle.models
        for column in ("images_natural", "images_generated")
    )


def test_no_held_out_image_is_shown(root: Path) -> None:
    from blindspots_hub.naming.masking import Exhibits

    bundle = load_bundle(root)
    shown: list[str] = []
    exhibits = Exhibits(bundle)
    pick = exhibits.picture
    exhibits.picture = lambda source, pair_id: shown.append(pair_id) or pick(source, pair_id)  # type: ignore[method-assign,func-returns-value]
    for concept in SOME:
        assert exhibits.of(concept) is not None
    assert shown
    assert not held_out(shown).any()


def test_names_are_taken_over_by_a_bundle_of_the_same_space(root: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(planted.BUNDLE, tmp_path / "other"))
    label(root, "caption-words", Naming(SOME))
    told = CliRunner().invoke(cli.app, ["labels", str(other), "--from", str(root)])
    assert told.exit_code == 0, told.output
    assert named(other, CAPTION_WORDS) == named(root, CAPTION_WORDS)


def test_a_card_names_on_ones_own_machine(root: Path) -> None:
    from blindspots_hub.explorer.card.naming import named_by, rename

    label(root, "caption-words", Naming(SOME))
    bundle = load_bundle(root)
    entry = Catalog(bundle).entries()[0]
    before = bundle.identity
    assert "caption words, provisional" in named_by(entry, 344, editable=False)
    assert "data-rename" not in named_by(entry, 344, editable=False)
    assert "data-rename" in named_by(entry, 344, editable=True)
    rename(bundle, 344, ' a "seed"  house ')
    assert bundle.labels[344] == 'a "seed" house'
    assert load_bundle(root).labels[344] == 'a "seed" house'
    assert bundle.identity == before
    html = named_by(entry, 344, editable=True)
    assert 'value="a &quot;seed&quot; house"' in html
    assert "also: bird feeder" in html
    rename(bundle, 344, "")
    assert bundle.labels[344] == "bird feeder"
    with pytest.raises(BlindspotsError, match="501 characters"):
        rename(bundle, 344, "x" * 501)


def test_the_page_writes_a_name_and_a_space_does_not(root: Path, tmp_path: Path) -> None:
    from types import SimpleNamespace

    import gradio as gr

    from blindspots_hub.explorer.page.app import build_app
    from blindspots_hub.explorer.page.page import Page
    from blindspots_hub.explorer.page.page_options import PageOptions
    from blindspots_hub.explorer.page.view import View
    from blindspots_hub.explorer.tabs.explore_parts.map_server import colour_key
    from blindspots_hub.explorer.tabs.registry import TABS
    from blindspots_hub.serving.deployment import Deployment

    bundle = load_bundle(root)
    build_app(bundle, tmp_path, [])
    for public in (True, False):
        with gr.Blocks():
            page = Page(Catalog(bundle), PageOptions(tmp_path, site=Deployment(public)), TABS)
        view: View = replace_view(page.first, 344)
        tab: Any = page.tabs["explore"]
        key = colour_key(page.entry(view), view.kind)
        event = SimpleNamespace(label="seed house", concept=344, key=key)
        if public:
            with pytest.raises(BlindspotsError, match="on one’s own machine"):
                tab.panel.name(event, view, [])
            assert "data-rename" not in tab.panel.html(view, [])
        else:
            assert "data-rename" in tab.panel.html(view, [])
            tab.panel.name(event, view, [])
            assert load_bundle(root).labels[344] == "seed house"


def replace_view(view: Any, concept: int) -> Any:
    from dataclasses import replace

    return replace(view, concept=concept)
