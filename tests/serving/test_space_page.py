"""The page on a Space: what strangers may do, who logs in, how results are published."""

from __future__ import annotations

import errno
import logging
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from explorer_fixtures import free_port, page_on
from hub_fixtures import write_publishable
from huggingface_hub import HfApi
from local_hub import Hub

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.explorer.page.app import build_app, serve
from blindspots_hub.explorer.page.catalog import Catalog, bundle_id
from blindspots_hub.explorer.tabs.evaluate import EvaluateTab
from blindspots_hub.explorer.tabs.evaluate_parts import publishing
from blindspots_hub.explorer.tabs.evaluate_parts.publishing import PublishPanel
from blindspots_hub.serving import deployment as sites
from blindspots_hub.serving.deployment import PUBLIC_PAIRS, Deployment
from blindspots_hub.serving.zerogpu import GpuRefused

KNOWN = [("Cedar", "planted/cedar"), ("Stable Diffusion 1.5", "sd15")]
SPECS = [spec for _, spec in KNOWN]
PUBLIC = Deployment(public=True)
TOKEN = "hf_thisIsAnOAuthTokenOfAVisitor"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(planted.BUNDLE)


def make_tab(bundle: Bundle, folder: Path, site: Deployment) -> EvaluateTab:
    tab = page_on(bundle, folder, known_models=KNOWN, site=site).tabs["evaluate"]
    assert isinstance(tab, EvaluateTab)
    return tab


# ---- what strangers may do --------------------------------------------------------------------


def test_the_environment_says_where_the_page_is() -> None:
    assert Deployment.of({}) == Deployment.of({"SPACES_ZERO_GPU": "false"}) == Deployment()
    on_space = {"SPACE_ID": "ana/pans", "SPACES_ZERO_GPU": "true", "OAUTH_CLIENT_ID": "x"}
    assert Deployment.of(on_space) == Deployment(public=True, login=True, zerogpu=True)


@pytest.mark.parametrize("spec", ["planted/cedar", "sd15", "org/name", "org/name@v1.0"])
def test_a_space_takes_known_models_and_hub_ids(spec: str) -> None:
    assert PUBLIC.accepted(f" {spec} ", 20, None, SPECS) == (spec, 20, 0)


@pytest.mark.parametrize(
    "spec",
    [
        "/etc", "/etc/passwd", "~", "~/model", ".", "..", "../other", "models", "a/b/c",
        "org/../name", "org/name@../../x", "file:///etc", "tests/hub_server", "C:\\\\models",
    ],
)  # fmt: skip
def test_a_space_gives_paths_one_answer(
    spec: str, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether something lies there or not, and in the estimate as well as in the evaluation."""
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    with pytest.raises(BlindspotsError) as told:
        PUBLIC.accepted("/no/such/folder", 20, 0, SPECS)
    tab = make_tab(bundle, tmp_path, PUBLIC)
    assert str(told.value) in tab._estimate(spec, 20).replace("&#x27;", "'")
    last = list(tab._run(spec, 20, 0, []))[-1]
    assert str(told.value) in last[tab.status]
    assert not list(tmp_path.iterdir())


def test_a_space_bounds_pairs_and_seeds(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match=r"at most 500 .* evaluate sd15 --pairs 501"):
        PUBLIC.accepted("sd15", PUBLIC_PAIRS + 1, 0, SPECS)
    for seed in (-1, 2**64):
        with pytest.raises(BlindspotsError, match="seed"):
            PUBLIC.accepted("sd15", 20, seed, SPECS)
    assert Deployment().accepted("sd15", 5000, -1, SPECS) == ("sd15", 5000, -1)
    assert make_tab(bundle, tmp_path, PUBLIC).pairs.maximum == PUBLIC_PAIRS
    assert make_tab(bundle, tmp_path, Deployment()).pairs.maximum > PUBLIC_PAIRS


def test_a_space_refuses_models_that_are_too_large(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, model = HfApi(), f"{hub.owner}/large"
    api.create_repo(model)
    for name in ("unet/w.safetensors", "unet/w.fp16.safetensors", "other.safetensors"):
        content = b"x" * 3_000_000
        api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=model)
    assert sites.weight_bytes(model, "main") == 3_000_000
    PUBLIC.check_size(model, SPECS)
    monkeypatch.setattr(sites, "PUBLIC_BYTES", 2_000_000)
    with pytest.raises(BlindspotsError, match="on your own machine: python -m blindspots_hub"):
        PUBLIC.check_size(f"{model}@main", SPECS)
    PUBLIC.check_size("sd15", SPECS)
    Deployment().check_size(model, SPECS)
    with pytest.raises(BlindspotsError, match=r"The model .*none cannot be fetched"):
        PUBLIC.check_size(f"{hub.owner}/none", SPECS)


def test_files_of_the_server_are_not_served(bundle: Bundle, tmp_path: Path) -> None:
    secret = tmp_path / "evaluations/other-visitor/deltas.parquet"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(b"of somebody else")
    page = build_app(bundle, tmp_path / "evaluations", KNOWN, PUBLIC)
    port = free_port()
    serve(page, port=port, block=False)
    try:
        for path in (secret, planted.BUNDLE / "bundle.json", Path("/etc/passwd")):
            for prefix in ("gradio_api/file=", "file="):
                answer = httpx.get(f"http://127.0.0.1:{port}/{prefix}{path}")
                assert answer.status_code in (403, 404)
    finally:
        page.close(verbose=False)


def test_one_evaluation_at_a_time_and_a_pause_can_go_on(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = build_app(bundle, tmp_path, KNOWN, PUBLIC)
    runs = [fn for fn in page.fns.values() if fn.concurrency_id == "evaluation"]
    assert {run.api_visibility for run in runs} == {"private", "public"}, "the form and programs"
    assert {run.concurrency_limit for run in runs} == {1}

    def work(*_: Any, **__: Any) -> Iterator[Any]:
        raise GpuRefused("Your GPU time is used up. 8 of 40 images are drawn and kept.")
        yield

    stand_in = types.ModuleType("blindspots_hub.runs.evaluate")
    stand_in.evaluate = types.SimpleNamespace(stream=work)  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "blindspots_hub.runs.evaluate", stand_in)
    tab = make_tab(bundle, tmp_path, PUBLIC)
    last = list(tab._run("sd15", 40, 0, []))[-1]
    assert "The evaluation pauses." in last[tab.status]
    assert "8 of 40" in last[tab.status]
    assert (last[tab.run].value, last[tab.run].interactive) == ("Continue", True)
    assert tab._waiting()[tab.run].value == "Run"


# ---- logging in, publishing -------------------------------------------------------------------


@pytest.mark.parametrize("login", [False, True])
def test_login_and_push_are_only_where_the_space_has_oauth(
    bundle: Bundle, tmp_path: Path, login: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its sessions need what Spaces install with Gradio (gradio[oauth]), and a provider.
    monkeypatch.setattr("gradio.routes.attach_oauth", lambda app: None)
    page = build_app(bundle, tmp_path, KNOWN, Deployment(public=True, login=login))
    ids = {getattr(block, "elem_id", None) for block in page.blocks.values()}
    assert {"login", "push", "publish-private"} <= ids if login else "push-command" in ids
    assert not (ids & {"login", "push"}) or login


@pytest.mark.parametrize(("site", "folder"), [(Deployment(), None), (PUBLIC, "birds")])
def test_elsewhere_the_command_is_shown(
    site: Deployment, folder: str | None, tmp_path: Path, bundle: Bundle
) -> None:
    mine = load_bundle(write_publishable(tmp_path / "birds"))
    with gr.Blocks():
        panel = PublishPanel(Catalog(bundle), site)
    command = panel.offer(mine)[panel.command]
    assert command == (
        f"python -m blindspots_hub push {folder or mine.root} --namespace YOUR-NAME "
        "--version 1.0.0 --private"
    )
    assert (str(tmp_path) in command) is (folder is None), "a Space's paths are nobody's business"


@pytest.fixture
def pressed(tmp_path: Path) -> Callable[..., list[dict[Any, Any]]]:
    """Press "Push to my account" for an evaluation; what the page was told."""
    mine = load_bundle(write_publishable(tmp_path / "birds"))
    with gr.Blocks():
        panel = PublishPanel(Catalog(mine), Deployment(public=True, login=True))

    def press(name: str, token: str | None, **changes: Any) -> list[dict[Any, Any]]:
        profile = types.SimpleNamespace(username=name) if token else None
        login = None if token is None else gr.OAuthToken(token, "contribute-repos", 0)
        key = f"{bundle_id(mine)}/{next(iter(mine.models))}"
        asked = {"name": "birds", "version": "1.0.0", "private": True, **changes}
        told = list(panel._push(key, **asked, profile=profile, token=login))
        return [update[panel.told] for update in told if panel.told in update]

    return press


def test_a_visitor_publishes_under_their_own_name(
    pressed: Callable[..., list[str]], hub: Hub, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("HF_TOKEN", "hf_ofTheSpaceWhichMayNotBeUsed")
    visitor = f"{hub.owner}-visitor"
    hub_token = hub.server.add_user(visitor)
    with caplog.at_level(logging.DEBUG):
        told = pressed(visitor, hub_token)
    assert "Published." in told[-1]
    assert f"{visitor}/birds@1.0.0" in told[-1]
    assert "Only you can see it." in told[-1]
    api = HfApi(token=hub_token)
    assert api.repo_info(f"{visitor}/birds-deltas", repo_type="dataset").private
    assert "v1.0.0" in {tag.name for tag in api.list_repo_refs(f"{visitor}/birds-sae").tags}
    written = [*told, caplog.text, *capfd.readouterr()]
    assert not any(hub_token in text for text in written)
    again = pressed(visitor, hub_token)
    assert "It was published before, and is unchanged." in again[-1]


def test_what_goes_wrong_is_told_without_the_token(
    pressed: Callable[..., list[str]], hub: Hub
) -> None:
    told = pressed("ana", TOKEN)
    assert "It was not published." in told[-1]
    assert TOKEN not in "".join(told)
    assert "Log in first." in pressed("ana", None)[-1]
    assert "three numbers" in pressed(hub.owner, hub.token, version="1")[-1]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/x"), "The disk is full"),
        (ConnectionResetError("broken pipe"), "publish again, and it goes on"),
    ],
)
def test_a_push_that_breaks_off_gives_the_button_back(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, fault: OSError, told: str
) -> None:
    class Broken:
        @staticmethod
        def stream(*_: Any, **__: Any) -> Any:
            raise fault

    monkeypatch.setattr(publishing, "push", Broken)
    site = Deployment(public=True, login=True)
    with gr.Blocks():
        catalog = Catalog(bundle, hosted=True)
        panel = PublishPanel(catalog, site)
    key = catalog.entries()[0].key
    profile: Any = types.SimpleNamespace(username="ana")
    token = gr.OAuthToken(TOKEN, "contribute-repos", 0)
    *_, last = panel._push(key, "birds", "1.0.0", True, profile, token)
    assert told in last[panel.told]
    assert "/srv" not in last[panel.told]
    assert last[panel.push].interactive
