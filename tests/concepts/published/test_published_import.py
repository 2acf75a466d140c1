"""From the authors' pickle to a model that loads: the command, the function, and what they say."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from golden.make_published import codes, dictionary
from published_fixtures import golden, write_replica, write_threshold
from typer.testing import CliRunner

from blindspots_hub import cli, paper
from blindspots_hub.concepts.published import fuse as published_fuse
from blindspots_hub.concepts.rasae import RASAE, RASAEConfig
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Event, drive
from blindspots_hub.runs.import_published import import_published
from blindspots_hub.utils.files import read_json, sha256_file, write_json

GOLDEN = golden()
WRITTEN = {"config.json", "model.safetensors", "README.md"}


@pytest.fixture
def replica(tmp_path: Path) -> Path:
    """A replica with the config.json that belongs to it, in a folder of its own."""
    (tmp_path / "source").mkdir()
    write_threshold(tmp_path / "source")
    return write_replica(tmp_path / "source" / "model.pth", GOLDEN)


@pytest.fixture
def published(replica: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A replica that passes for the published file."""
    monkeypatch.setattr(paper, "PUBLISHED_SHA256", sha256_file(replica))
    return replica


def _in_cache(
    folder: Path, content: Path, monkeypatch: pytest.MonkeyPatch, commit: str | None = None
) -> Path:
    """The published file in a Hub cache, as a download leaves it."""
    repo = folder / f"models--{paper.PUBLISHED_REPO.replace('/', '--')}"
    snapshot = repo / "snapshots" / (commit or paper.PUBLISHED_REVISION)
    snapshot.mkdir(parents=True)
    shutil.copy(content, snapshot / paper.PUBLISHED_FILE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder))
    return snapshot


def test_the_golden_file_is_what_its_script_makes() -> None:
    np.testing.assert_allclose(dictionary(GOLDEN), GOLDEN["golden_dictionary"], atol=1e-12)
    np.testing.assert_allclose(codes(GOLDEN), GOLDEN["golden_codes"], atol=1e-12)


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"wrapped": False},
        {"training": False, "fused": GOLDEN["golden_dictionary"].astype(np.float32)},
        {"fused": np.zeros((96, 12), np.float32)},
    ],
    ids=["training", "unwrapped", "eval", "trained again"],
)
def test_codes_and_reconstructions_are_the_golden_ones(
    tmp_path: Path, saved: dict[str, Any]
) -> None:
    write_threshold(tmp_path)
    path = write_replica(tmp_path / "model.pth", GOLDEN, **saved)
    done = import_published(path, tmp_path / "out")
    assert {file.name for file in done.folder.iterdir()} == WRITTEN
    sae = RASAE.from_pretrained(done.folder)
    assert sae.config == done.config
    found = sae.encode(torch.from_numpy(GOLDEN["tokens"]))
    np.testing.assert_allclose(found.to_dense(), GOLDEN["golden_codes"], atol=2e-6)
    np.testing.assert_allclose(sae.decode(found).numpy(), GOLDEN["golden_tokens"], atol=2e-5)


def test_config_records_threshold_backbone_and_layout(replica: Path, tmp_path: Path) -> None:
    done = import_published(replica, tmp_path / "out")
    config = read_json(tmp_path / "out" / "config.json")
    assert config["threshold"] == 0.829
    assert config["threshold_origin"] == "running_threshold of the config.json beside the file"
    assert config["sparsity"] == "batch_topk"
    assert config["backbone"] == "facebook/dinov2-with-registers-base"
    assert config["token_layout"] == {"cls": 1, "registers": 4, "grid": [16, 16]}
    assert done.config.token_layout is not None
    assert done.config.token_layout.tokens == 261
    assert sha256_file(replica) == done.sha256
    assert done.sha256 in config["origin"]
    assert "fused from W, C, Relax and multiplier" in config["origin"]


def test_the_threshold_comes_from_the_first_that_has_one(replica: Path, tmp_path: Path) -> None:
    given = import_published(replica, tmp_path / "given", threshold=0.5).config
    assert given.threshold == 0.5
    assert "instead of 0.829 in the config.json beside" in str(given.threshold_origin)
    same = import_published(replica, tmp_path / "same", threshold=0.829).config
    assert same.threshold_origin == "given with the import"
    both = write_replica(replica.with_name("both.pth"), GOLDEN, threshold=torch.tensor(0.25))
    assert import_published(both, tmp_path / "beside").config.threshold == 0.829
    (replica.parent / "config.json").unlink()
    stored = import_published(both, tmp_path / "stored").config
    assert (stored.threshold, stored.threshold_origin) == (
        0.25,
        "running_threshold stored in the file",
    )


def test_without_a_threshold_there_is_no_model(replica: Path, tmp_path: Path) -> None:
    for content in ({}, {"running_threshold": None}):
        write_json(replica.parent / "config.json", content)
        with pytest.raises(BlindspotsError, match="give --threshold") as told:
            import_published(replica, tmp_path / "out")
        assert "\n" not in str(told.value)
        assert not (tmp_path / "out").exists()
    import_published(replica, tmp_path / "out", threshold=0.829)
    config = read_json(tmp_path / "out" / "config.json")
    write_json(tmp_path / "out" / "config.json", config | {"threshold": None})
    with pytest.raises(BlindspotsError, match="without a positive threshold"):
        RASAE.from_pretrained(tmp_path / "out")


@pytest.mark.parametrize("value", [0, -1, "0.829", True, float("nan"), [0.829]])
def test_a_threshold_that_is_none(replica: Path, tmp_path: Path, value: Any) -> None:
    write_threshold(replica.parent, value)
    told = r"config.json has running_threshold = |NaN is no number of JSON"
    with pytest.raises(BlindspotsError, match=told):
        import_published(replica, tmp_path / "out")
    if value == value:  # else the file is no JSON, whatever is given
        found = import_published(replica, tmp_path / "out", threshold=0.829)
        assert found.config.threshold == 0.829
        with pytest.raises(BlindspotsError, match="give a positive number"):
            import_published(replica, tmp_path / "other", threshold=-0.5)


def test_the_published_file_needs_nothing_beside_it(published: Path, tmp_path: Path) -> None:
    (published.parent / "config.json").unlink()
    done = import_published(published, tmp_path / "out")
    assert done.is_published
    assert done.config.threshold == paper.PUBLISHED_THRESHOLD == 0.829
    assert "known by the file's sha256" in str(done.config.threshold_origin)


def test_the_card_names_licence_authors_and_changes(published: Path, tmp_path: Path) -> None:
    import_published(published, tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "cc-by-sa-4.0"
    assert yaml.safe_load(front)["base_model"] == "matybohacek/RA-SAE-DINOv2-32k"
    told = " ".join(body.split())
    for words in (
        "# RA-SAE-DINOv2-32k as one safe file",
        "CC-BY-SA-4.0",
        "Matyas Bohacek, Thomas Fel, Maneesh Agrawala, Ekdeep Singh Lubana",
        paper.TITLE,
        f"at revision `{paper.PUBLISHED_REVISION}`",
        "codes of at least 0.829",
        "1 class, 4 registers, 16×16 patches",
        "20,480 codes",
        "fused from W, C, Relax and multiplier",
        "stored in float32, without rounding",
    ):
        assert words in told
    assert "{{" not in text
    assert "Not the published file" not in told


def test_the_card_of_another_file_says_so(replica: Path, tmp_path: Path) -> None:
    done = import_published(replica, tmp_path / "out")
    assert not done.is_published
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "**Not the published file.**" in text
    assert done.sha256 in text
    assert "base_model" not in text


def test_half_the_size_with_the_error_stated(replica: Path, tmp_path: Path) -> None:
    whole = import_published(replica, tmp_path / "whole")
    half = import_published(replica, tmp_path / "half", weights_dtype="float16")
    assert whole.rounding is None
    assert half.rounding is not None
    exact, rounded = (RASAE.from_pretrained(done.folder) for done in (whole, half))
    tokens = torch.from_numpy(GOLDEN["C"])
    a, b = exact.encode(tokens).to_dense(), rounded.encode(tokens).to_dense()
    both = (a > 0) & (b > 0)
    assert half.rounding.tokens == 40
    assert half.rounding.fires == (a > 0).sum() > 0
    assert half.rounding.changed == ((a > 0) != (b > 0)).sum()
    assert half.rounding.code_max == pytest.approx(np.abs(a - b)[both].max(), rel=1e-4)
    assert 0 < half.rounding.code_mean < half.rounding.code_max < 0.01
    assert 0 < half.rounding.reconstruction_mean < half.rounding.reconstruction_max < 0.1
    text = " ".join((tmp_path / "half" / "README.md").read_text(encoding="utf-8").split())
    assert f"codes differ by {half.rounding.code_max:.2g} at most" in text
    sizes = [(done.folder / "model.safetensors").stat().st_size for done in (half, whole)]
    assert sizes[0] < 0.65 * sizes[1]
    with pytest.raises(BlindspotsError, match="float32 or float16, not 'int8'"):
        import_published(replica, tmp_path / "out", weights_dtype="int8")


def test_weights_beyond_half_precision(replica: Path, tmp_path: Path) -> None:
    large = GOLDEN | {"multiplier": np.float32(12)}
    with pytest.raises(BlindspotsError, match="too large for float16"):
        import_published(write_replica(replica, large), tmp_path / "out", weights_dtype="float16")


def test_blocks_give_what_the_whole_gives(
    replica: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_published(replica, tmp_path / "whole")
    monkeypatch.setattr(published_fuse, "_BLOCK_BYTES", 4 * 40 * 10)
    import_published(replica, tmp_path / "blocks")
    ours, theirs = (RASAE.from_pretrained(tmp_path / run) for run in ("blocks", "whole"))
    torch.testing.assert_close(ours.dictionary, theirs.dictionary, atol=1e-6, rtol=0)


_KILLED = """
import os, signal, sys
from blindspots_hub.concepts.rasae import RASAE
from blindspots_hub.runs.import_published import import_published

RASAE.save_pretrained = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
import_published(sys.argv[1], sys.argv[2])
"""


def test_killed_while_writing_it_writes_the_same(replica: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", _KILLED, str(replica), str(out)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    import_published(replica, out)
    import_published(replica, tmp_path / "whole")
    assert {file.name for file in out.iterdir()} == WRITTEN
    for name in WRITTEN - {"README.md"}:  # which names its folder
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_progress_names_every_stage(replica: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    drive(import_published.stream(replica, tmp_path / "out"), events.append)
    stages = list(dict.fromkeys(event.stage for event in events))
    assert stages == [
        "find the weights",
        "check the sha256 (MB)",
        "fuse the dictionary",
        "write the weights",
    ]
    last = {event.stage: event for event in events}
    assert all(last[stage].done == last[stage].total for stage in stages[1:])


def test_only_an_import_of_the_same_file_is_written_over(replica: Path, tmp_path: Path) -> None:
    with pytest.raises(BlindspotsError, match="is the folder of the source"):
        import_published(replica, replica.parent)
    out = tmp_path / "out"
    import_published(replica, out)
    import_published(replica, out, threshold=0.5)
    assert read_json(out / "config.json")["threshold"] == 0.5
    other = write_replica(replica.with_name("other.pth"), GOLDEN | {"multiplier": np.float32(0)})
    with pytest.raises(BlindspotsError, match=r"holds another model's config.json"):
        import_published(other, out)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("mine")
    with pytest.raises(BlindspotsError, match=r"holds another model's README.md"):
        import_published(replica, tmp_path / "notes")
    assert (tmp_path / "notes" / "README.md").read_text() == "mine"


def test_a_folder_or_a_file_and_which_of_several(replica: Path, tmp_path: Path) -> None:
    assert import_published(replica.parent, tmp_path / "a").sha256 == sha256_file(replica)
    write_replica(replica.with_name("second.pth"), GOLDEN, wrapped=False)
    with pytest.raises(BlindspotsError, match=r"holds 2 .pth files"):
        import_published(replica.parent, tmp_path / "b")
    replica.rename(replica.with_name(paper.PUBLISHED_FILE))
    import_published(str(replica.parent), tmp_path / "b")
    for missing in (tmp_path / "nothing", f"{tmp_path}/nothing.pth", "folder/nothing.pth"):
        with pytest.raises(BlindspotsError, match="There is no file or folder"):
            import_published(missing, tmp_path / "c")
    with pytest.raises(BlindspotsError, match="leave --revision out"):
        import_published(replica.parent, tmp_path / "c", revision="main")


def test_from_the_hub_at_the_pinned_revision(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = _in_cache(tmp_path / "cache", published, monkeypatch)
    done = import_published(paper.PUBLISHED_REPO, tmp_path / "out")
    assert done.is_published
    assert f"{paper.PUBLISHED_REPO} on the Hugging Face Hub, revision" in done.config.origin
    assert paper.PUBLISHED_REVISION in done.config.origin
    (snapshot / paper.PUBLISHED_FILE).write_bytes(
        write_replica(tmp_path / "m.pth", GOLDEN, wrapped=False).read_bytes()
    )
    with pytest.raises(BlindspotsError, match="delete it from the cache and fetch it again"):
        import_published(paper.PUBLISHED_REPO, tmp_path / "other")


def test_another_revision_is_another_model(
    replica: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0" * 40
    snapshot = _in_cache(tmp_path / "cache", replica, monkeypatch, commit)
    with pytest.raises(BlindspotsError, match="holds no threshold"):
        import_published(paper.PUBLISHED_REPO, tmp_path / "out", revision=commit)
    write_threshold(snapshot, 0.75)
    done = import_published(paper.PUBLISHED_REPO, tmp_path / "out", revision=commit)
    assert (done.is_published, done.config.threshold) == (False, 0.75)


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says of a mistake: one sentence."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["import-published", *arguments, "--quiet"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_the_command(replica: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    run = CliRunner().invoke(
        cli.app, ["import-published", str(replica), "--out", str(out), "--dtype", "float16", "-q"]
    )
    assert run.exit_code == 0, run.output
    assert "96 concepts of width 12, threshold 0.829 (running_threshold of" in run.output
    assert "not the published file" in run.output
    assert RASAE.from_pretrained(out).config.weights_dtype == "float16"
    for source, told in (
        ("nobody/nothing", "the Hugging Face Hub cannot be reached"),
        (str(tmp_path / "none"), "is neither a folder nor a Hub id"),
        (str(tmp_path / "none.pth"), "There is no file or folder"),
    ):
        assert told in _told(capsys, source, "--out", str(tmp_path / "other"))


_MEASURED = """
import re, sys
from blindspots_hub.runs import import_published as importing
import safetensors.torch

def peak():  # of this process alone; getrusage would count the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) << 10

before = peak()
importing.import_published(sys.argv[1], sys.argv[2], threshold=0.829)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_large_dictionary_never_lies_in_memory_whole(tmp_path: Path) -> None:
    """12,000 × 768, with 8,000 candidate points for the sake of time: W has 384 MB."""
    n, candidates, d = 12_000, 8_000, 768
    dice = torch.Generator().manual_seed(0)
    tensors = {
        "W": torch.rand(n // 100, candidates, generator=dice).repeat(100, 1),
        "C": torch.randn(candidates, d, generator=dice),
        "Relax": torch.randn(n, d, generator=dice),
        "multiplier": torch.tensor(0.5),
        "weight": torch.randn(n, d, generator=dice),
        "bias": torch.zeros(n),
        "gain": torch.ones(n),
        "shift": torch.zeros(n),
    }
    path = write_replica(tmp_path / "large.pth", tensors)
    size_of_w = tensors["W"].nbytes
    rows = torch.tensor([0, 5_000, 11_999])
    hull = tensors["W"][rows].double()
    hull = hull / hull.sum(1, keepdim=True) @ tensors["C"].double()
    relax = torch.nn.functional.normalize(tensors["Relax"][rows].double())
    del tensors
    out = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(path), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    path.unlink()  # pytest keeps folders of several runs
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 0.85 * size_of_w
    sae = RASAE.from_pretrained(out)
    expected = np.exp(0.5) * (hull + relax)
    torch.testing.assert_close(sae.dictionary[rows].double(), expected, atol=1e-5, rtol=0)


def test_configs_from_before_these_settings_still_load() -> None:
    old = RASAEConfig(d=6, n_concepts=40).to_json()
    assert not {"threshold_origin", "token_layout"} & set(old)
    assert RASAEConfig.from_json(old).token_layout is None
    for wrong in (1, {"cls": 1}, {"cls": 1, "registers": 4, "grid": [16]}, {"grid": "16"}):
        with pytest.raises(BlindspotsError, match="has token_layout"):
            RASAEConfig.from_json(old | {"token_layout": wrong})
    with pytest.raises(BlindspotsError, match="has threshold_origin = 3"):
        RASAEConfig.from_json(old | {"threshold_origin": 3})
