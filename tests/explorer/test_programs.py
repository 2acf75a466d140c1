"""The page for programs: endpoints with typed answers over HTTP, MCP tools, and their bounds."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import numpy as np
import pytest
from explorer_fixtures import PAGE, free_port, page_on, write_another
from synthetic_bundle import Synthetic, write_synthetic

from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.app import build_app, serve
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id
from blindspots_hub.explorer.page.view import View
from blindspots_hub.explorer.programs.questions import MOST, Questions
from blindspots_hub.progress import Event, Work
from blindspots_hub.serving.deployment import PUBLIC_PAIRS, Deployment

NAMES = ["blindspots", "concept", "compare", "pairs", "evaluate"]
SPEC = Synthetic(n_concepts=120, pairs=80)
FILE = {"_type": "gradio.FileData"}
MCP = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return load_bundle(write_synthetic(tmp_path_factory.mktemp("programs") / "b", SPEC))


@pytest.fixture(scope="module")
def questions(bundle: Bundle) -> Questions:
    return Questions(Catalog(bundle))


def stand_in(patch: pytest.MonkeyPatch, folder: Path) -> list[dict[str, Any]]:
    """An evaluation that only writes a result; returns what it was asked for."""
    asked: list[dict[str, Any]] = []

    def work(model: str, out: Path, **options: Any) -> Work[Bundle]:
        asked.append({"model": model, **options})
        for done in range(3):
            yield Event("generate and measure", done, 3)
        return load_bundle(write_another(out / "result", n_concepts=120, pairs=80, seed=9))

    module = types.ModuleType("blindspots_hub.runs.evaluate")
    module.evaluate = types.SimpleNamespace(stream=work)  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "blindspots_hub.runs.evaluate", module)
    return asked


@pytest.fixture(scope="module")
def site(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("mcp")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(patch, tmp_path_factory.mktemp("results"))
        page = build_app(bundle, tmp_path_factory.mktemp("evaluations"), [("Known", "known/model")])
        port = free_port()
        serve(page, port=port, block=False, mcp=True)
        yield f"http://127.0.0.1:{port}"
        page.close(verbose=False)


@pytest.fixture(scope="module")
def client(site: str) -> Any:
    from gradio_client import Client

    return Client(site, verbose=False)


# ---- what is answered -----------------------------------------------------------------------


def test_blindspots_are_those_of_the_table(questions: Questions, bundle: Bundle) -> None:
    for kind in ("relative", "absolute"):
        answer = questions.blindspots("plain-a", kind, limit=MOST)  # type: ignore[arg-type]
        table = bundle.deltas("plain-a").to_pandas()
        state = table["relative_state" if kind == "relative" else "state"]
        wanted = table[state.isin(["suppressed", "exaggerated"])]
        assert sorted(one["concept"] for one in answer["blindspots"]) == sorted(wanted["concept"])
        assert answer["judged"] == int((~state.isin(["dead", "undetermined"])).sum())
        json.dumps(answer, allow_nan=False)
    few = questions.blindspots("plain-a", limit=1)["blindspots"]
    assert len({one["state"] for one in few}) == len(few) <= 2


def test_a_concept_in_every_model(questions: Questions, bundle: Bundle) -> None:
    for k in range(0, bundle.n_concepts, 7):
        answer = questions.concept(k)
        assert [one["model"] for one in answer["models"]] == list(bundle.models)
        for one in answer["models"]:
            judged = one["state"] not in ("dead", "undetermined")
            assert (one["delta"] is not None) == judged
        json.dumps(answer, allow_nan=False)
    assert View.from_query({"concept": "3"}).concept == 3


def test_a_comparison_is_the_analysis(questions: Questions, bundle: Bundle) -> None:
    from blindspots_hub.analysis.model_agreement import agreement
    from blindspots_hub.analysis.model_comparison import changes

    answer = questions.compare("plain-a", "plain-b", limit=MOST)
    found = agreement(bundle, "plain-a", "plain-b", "relative_delta")
    assert answer["pearson"] == pytest.approx(found.pearson.value)
    assert answer["concepts"] == found.concepts
    changed = changes(bundle, "plain-a", "plain-b")
    assert answer["counts"] == changed.counts
    fixed = [one["concept"] for one in answer["changes"] if one["change"] == "fixed"]
    assert fixed == changed.concepts("fixed").tolist()
    assert answer["captions"] == 80


def test_pairs_by_distance(questions: Questions, bundle: Bundle) -> None:
    distance = bundle.distances("plain-a")["distance"].to_numpy()
    for order, wanted in (("largest", distance.max()), ("smallest", distance.min())):
        shown = questions.pairs("plain-a", order, limit=5)["shown"]  # type: ignore[arg-type]
        assert shown[0]["distance"] == pytest.approx(wanted)
        assert len(shown) == 5
        assert shown[0]["caption"] == bundle.captions([shown[0]["pair_id"]])[0]


def test_a_model_without_pairs_says_so(tmp_path: Path) -> None:
    found = Questions(Catalog(load_bundle(write_synthetic(tmp_path / "b", PAGE))))
    with pytest.raises(BlindspotsError, match="has no pairs"):
        found.pairs("own")
    answer = found.compare("plain-a", "own")
    assert answer["captions"] == 0
    assert "unpaired" in answer["note"]


@pytest.mark.parametrize(
    ("name", "asked", "told"),
    [
        ("blindspots", {"model": "plain-q"}, "did you mean plain-a"),
        ("blindspots", {"model": "x" * 10_000}, "There is no model"),
        ("blindspots", {"model": "", "delta": "ratio"}, "no delta"),
        ("blindspots", {"model": "", "limit": 0}, "from 1 to 500"),
        ("blindspots", {"model": "", "limit": 10**9}, "from 1 to 500"),
        ("blindspots", {"model": "", "limit": float("nan")}, "from 1 to 500"),
        ("blindspots", {"model": "", "limit": None}, "from 1 to 500"),
        ("blindspots", {"model": {"a": 1}}, "There is no model"),
        ("blindspots", {"model": "", "bundle": "../../etc"}, "holds no bundle"),
        ("concept", {"concept": -1}, "no concept -1"),
        ("concept", {"concept": 120}, "no concept 120"),
        ("concept", {"concept": True}, "by its number"),
        ("concept", {"concept": float("inf")}, "by its number"),
        ("concept", {"concept": "3"}, "by its number"),
        ("compare", {"first": "plain-a", "second": "plain-a"}, "name another"),
        ("pairs", {"model": "", "order": "random"}, "no order"),
    ],
)
def test_what_is_asked_is_bounded(
    questions: Questions, name: str, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(BlindspotsError, match=told):
        getattr(questions, name)(**asked)


# ---- over HTTP ------------------------------------------------------------------------------


def test_programs_see_the_endpoints_and_nothing_else(client: Any) -> None:
    seen = client.view_api(return_format="dict", print_info=False)
    assert [name.strip("/") for name in seen["named_endpoints"]] == NAMES
    assert not seen["unnamed_endpoints"]
    for name, told in seen["named_endpoints"].items():
        schema = told["returns"][0]["type"]
        assert schema["type"] == "object", name
        assert schema["properties"]


def test_every_other_listener_is_private(bundle: Bundle, tmp_path: Path) -> None:
    page = build_app(bundle, tmp_path, [])
    public = [fn.api_name for fn in page.fns.values() if fn.api_visibility != "private"]
    assert public == NAMES


def test_the_client_of_the_readme(client: Any, bundle: Bundle) -> None:
    answer = client.predict("plain-a", limit=3, api_name="/blindspots")
    assert answer == Questions(Catalog(bundle)).blindspots("plain-a", limit=3)
    assert client.predict(3, api_name="/concept")["concept"] == 3
    assert client.predict("plain-a", "plain-b", api_name="/compare")["captions"] == 80
    assert len(client.predict("plain-a", limit=4, api_name="/pairs")["shown"]) == 4
    with pytest.raises(Exception, match="did you mean plain-a"):
        client.predict("plain-q", api_name="/blindspots")


def test_an_evaluation_tells_its_steps_and_its_end(client: Any) -> None:
    job = client.submit("known/model", 20, 0, api_name="/evaluate")
    end = job.result(timeout=60)
    assert end["finished"]
    assert end["model"] == "mine"
    assert "judged" in end["sentence"]
    steps = job.outputs()
    assert steps[0]["stage"] == "getting ready"
    identity = View.from_query(dict(pair.split("=") for pair in end["link"][1:].split("&"))).bundle
    there = client.predict("mine", bundle=identity, api_name="/blindspots")
    assert there["model"] == "mine"
    with pytest.raises(Exception, match="No model is named"):
        client.predict("", 20, 0, api_name="/evaluate")


def ask_mcp(site: str, method: str, **headers: str) -> httpx.Response:
    name, _, arguments = method.partition(" ")
    params = json.loads(arguments) if arguments else {}
    asked = {"jsonrpc": "2.0", "id": 1, "method": name, "params": params}
    return httpx.post(f"{site}/gradio_api/mcp/", json=asked, headers={**MCP, **headers}, timeout=60)


def told_by(answer: httpx.Response) -> dict[str, Any]:
    line = next(line for line in answer.text.splitlines() if line.startswith("data:"))
    result: dict[str, Any] = json.loads(line[5:])["result"]
    return result


def test_the_same_questions_are_mcp_tools(site: str, bundle: Bundle) -> None:
    tools = told_by(ask_mcp(site, "tools/list"))["tools"]
    assert [tool["name"] for tool in tools] == NAMES
    for tool in tools:
        assert "error of one sentence" in tool["description"]
        asked = tool["inputSchema"]["properties"]
        assert all(one.get("description") for one in asked.values()), tool["name"]
    call = 'tools/call {"name": "blindspots", "arguments": {"model": "plain-a", "limit": 2}}'
    answer = told_by(ask_mcp(site, call))
    assert answer["isError"] is False
    found = json.loads(answer["content"][0]["text"])
    assert found == Questions(Catalog(bundle)).blindspots("plain-a", limit=2)
    wrong = told_by(ask_mcp(site, 'tools/call {"name": "concept", "arguments": {"concept": 120}}'))
    assert wrong["isError"]
    assert "There is no concept 120" in wrong["content"][0]["text"]


# ---- forged requests ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}]
)
def test_other_sites_reach_neither_endpoint_nor_tool(site: str, headers: dict[str, str]) -> None:
    assert ask_mcp(site, "tools/list", **headers).status_code in (403, 421)
    for name in NAMES:
        answer = httpx.post(f"{site}/gradio_api/call/{name}", json={"data": []}, headers=headers)
        assert answer.status_code in (403, 421)


def test_large_bodies_are_refused(site: str) -> None:
    large = {"data": ["x" * 2**20]}
    for path in ("call/blindspots", "call/evaluate", "mcp/", "queue/join"):
        answer = httpx.post(f"{site}/gradio_api/{path}", json=large, headers=MCP, timeout=30)
        assert answer.status_code == 413, path
    larger = {"data": ["x" * 13 * 2**20]}  # an event of the page may take in a file of names
    answer = httpx.post(f"{site}/gradio_api/run/predict", json=larger, timeout=30)
    assert answer.status_code == 413


def test_forged_values_are_answered_with_one_line(
    site: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for data in ([], [None], [[[]]], [{"path": "/etc/passwd", "meta": FILE}],
                 ["x"] * 50, "text", [float("1e308"), {}, [], "", 3]):  # fmt: skip
        for name in NAMES[:4]:
            sent = httpx.post(f"{site}/gradio_api/call/{name}", json={"data": data}, timeout=30)
            if sent.status_code == 200:
                got = httpx.get(
                    f"{site}/gradio_api/call/{name}/{sent.json()['event_id']}", timeout=30
                )
                assert "root:" not in got.text
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


def test_strangers_have_the_bounds_of_the_form(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub.explorer.programs import endpoints

    asked = stand_in(monkeypatch, tmp_path)
    page = page_on(
        bundle, tmp_path, site=Deployment(public=True), known_models=[("Known", "known/model")]
    )
    tab: Any = page.tabs["evaluate"]
    evaluate = endpoints._evaluate(page.catalog, page.options, tab.evaluations)
    request: Any = types.SimpleNamespace(session_hash="nobody")
    assert list(evaluate(request, "known/model", 20, 0)) == [], "nobody listens"
    monkeypatch.setattr(endpoints.LISTENERS, "hears", lambda session: True)
    for model, pairs, seed, told in (
        ("/etc", 20, 0, "models of the list"),
        ("known/model", PUBLIC_PAIRS + 1, 0, f"at most {PUBLIC_PAIRS} pairs"),
        ("known/model", "20", 0, "no number"),
        ("known/model", 20, -1, "seed"),
        ("known/model", 20, "x", "no number"),
        (None, 20, 0, "No model"),
    ):
        with pytest.raises(gr.Error, match=told):
            list(evaluate(request, model, pairs, seed))
    assert asked == []
    steps = list(evaluate(request, "known/model", 20, 0))
    assert steps[-1]["finished"]
    assert asked[0]["pairs"] == 20
    assert not tab.evaluations.busy.locked()
    assert not np.isnan(steps[-1]["done"])
    assert bundle_id(bundle) not in steps[-1]["link"], "it is a bundle of its own"


def test_without_the_package_mcp_there_is_a_sentence(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blindspots_hub.explorer.page import app

    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(BlindspotsError, match="pip install 'mcp"):
        serve(build_app(bundle, tmp_path, []), port=free_port(), block=False, mcp=True)
