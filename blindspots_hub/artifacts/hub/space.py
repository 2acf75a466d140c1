"""A Space that shows a published bundle: its files, pinned to the bundle's commits, one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindspots_hub.artifacts.hub.checks import check_writable
from blindspots_hub.artifacts.hub.client import Content, Hub
from blindspots_hub.artifacts.hub.fetched import lock_in
from blindspots_hub.artifacts.hub.lock import Lock
from blindspots_hub.artifacts.hub.plan import RepoPlan, look, plan
from blindspots_hub.artifacts.hub.release import committing, creating
from blindspots_hub.artifacts.hub.repos import SPACE, Reference, Repo, check_name
from blindspots_hub.artifacts.hub.versions import resolve
from blindspots_hub.artifacts.layout import BACKBONE, LOCK, SAE
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.utils.files import write_bytes

CHECKOUT = Path(__file__).resolve().parents[3]
"""Where app.py and spaces/ lie: a Space is made from a checkout, not from an installed package."""

ZEROGPU = "zero-a10g"
"""What the Hub calls the hardware of ZeroGPU."""

FOLDERS = ("blindspots_hub", "model_card", "dataset_card")
"""Copied as they are: the package with its embedded bundle, and the templates of cards."""

TORCH = "torch>=2.8,<3"
"""What a Space needs besides its requirements where it is not ZeroGPU, which brings its own."""

SCOPES = ("contribute-repos",)
"""What a visitor who logs in lets the Space do: make repositories, and write to those it made."""

START_LIMIT = "1h"
"""How long the first start may take: fetching a large bundle from a cold cache is part of it."""

_WEIGHTS = {
    SAE: ("config.json", "model.safetensors"),
    BACKBONE: ("config.json", "model.safetensors", "preprocessor_config.json"),
}
_THUMBNAIL = "thumbnail.png"

README = "README.md"
"""Of a checkout what a person reads first; of a Space its card, which the Hub asks for there."""

SPACE_README = f"blindspots_hub/{README}"
"""Where a Space has the README of the checkout: in the package, whose page shows it."""


def space_files(
    lock: Lock, *, space: str | None = None, hardware: str = ZEROGPU, private: bool = False
) -> dict[str, Content]:
    """Every file of the Space that shows the bundle of `lock`, by path.

    `space` is its id, by default the bundle's own. Nothing of tests, caches or hidden files is in
    it. Of `private` repositories nothing is fetched while the Space is built, which has no token.
    """
    if not (CHECKOUT / "app.py").is_file():
        raise BlindspotsError(
            f"{CHECKOUT} holds no app.py: make the Space from a checkout of blindspots_hub."
        )
    files: dict[str, Content] = {
        path.relative_to(CHECKOUT).as_posix(): path
        for folder in FOLDERS
        for path in _own_files(CHECKOUT / folder)
    }
    for name in ("app.py", "LICENSE"):
        files[name] = CHECKOUT / name
    files[_THUMBNAIL] = CHECKOUT / "spaces/explore.png"
    requirements = (CHECKOUT / "spaces/requirements.txt").read_text(encoding="utf-8")
    if not hardware.startswith("zero-"):
        requirements += f"{TORCH}\n"
    files["requirements.txt"] = requirements.encode()
    files[SPACE_README] = CHECKOUT / README
    files[README] = _readme(lock, space_repo(lock, space), hardware, private)
    files[LOCK] = lock.to_bytes()
    return files


def space_repo(lock: Lock, space: str | None = None) -> Repo:
    """The Space's repository: `space`, or the one of the bundle's own name."""
    if space is None:
        return lock.repo(SPACE)
    namespace, slash, name = space.partition("/")
    if not slash:
        raise BlindspotsError(f"{space!r} does not name a Space: write NAMESPACE/NAME.")
    check_name("namespace", namespace)
    check_name("Space", name)
    return Repo("space", space, SPACE)


def write_space(files: Mapping[str, Content], output_dir: Path) -> None:
    """Write the files of a Space into the new or empty folder `output_dir`."""
    output_dir = output_dir.expanduser()
    if output_dir.exists() and (not output_dir.is_dir() or any(output_dir.iterdir())):
        raise BlindspotsError(f"{output_dir} is not an empty folder: name a new one for the Space.")
    for name, content in files.items():
        write_bytes(
            output_dir / name, content if isinstance(content, bytes) else content.read_bytes()
        )


def _own_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if path.is_file() and not hidden:
            yield path


def _readme(lock: Lock, space: Repo, hardware: str, private: bool) -> bytes:
    import yaml

    template = (CHECKOUT / "spaces/README.md").read_text(encoding="utf-8")
    _, front, body = template.split("---\n", 2)
    repos = [repo for repo in lock.repos if repo.kind != "space"]
    filled: dict[str, Any] = {
        **yaml.safe_load(front),
        "title": f"Blindspots: {lock.bundle.split('/')[1]}",
        "models": [repo.id for repo in repos if repo.kind == "model"],
        "datasets": [repo.id for repo in repos if repo.kind == "dataset"],
        "hf_oauth": True,
        "hf_oauth_scopes": list(SCOPES),
        "suggested_hardware": hardware,
        "startup_duration_timeout": START_LIMIT,
        "thumbnail": f"https://huggingface.co/spaces/{space.id}/resolve/main/{_THUMBNAIL}",
        "preload_from_hub": [] if private else _preloaded(lock),
    }
    kept = {key: value for key, value in filled.items() if value != []}
    text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=1000)
    names = ", ".join(f"[{repo.id}]({_address(repo)})" for repo in repos)
    shown = f"It shows `{lock.reference}`, whose files are in {names}."
    return f"---\n{text}---\n{body.rstrip()}\n\n{shown}\n".encode()


def _preloaded(lock: Lock) -> list[str]:
    """What is in the cache when the Space starts: the Hub preloads models, and no datasets."""
    return [
        f"{lock.repo(part).id} {','.join(_WEIGHTS[part])} {lock.commits[part]}"
        for part in (SAE, BACKBONE)
        if part in lock.commits
    ]


def _address(repo: Repo) -> str:
    kind = "" if repo.kind == "model" else f"{repo.kind}s/"
    return f"https://huggingface.co/{kind}{repo.id}"


@dataclass(frozen=True)
class Deployed:
    """What publishing a Space changed, or would change; its page, None where nothing was made."""

    plan: RepoPlan
    address: str | None


def lock_of(bundle: str) -> Lock:
    """The lock of a published bundle: of a folder that was pulled, or by its reference.

    A version that was fetched before asks no network.
    """
    folder = Path(bundle).expanduser()
    if not folder.is_dir():
        return resolve(Hub(), Reference.parse(bundle))
    lock = lock_in(folder)
    if lock is None:
        raise BlindspotsError(
            f"{folder} was not pulled from the Hub, and a Space shows what is published: push the "
            "bundle first, then name it as NAMESPACE/BUNDLE."
        )
    return lock


@Call
def deploy_space(
    repo: Repo,
    files: Mapping[str, Content],
    lock: Lock,
    *,
    private: bool = False,
    dry_run: bool = False,
    token: str | None = None,
) -> Work[Deployed]:
    """Make `files` the content of the Space `repo`, in one commit; unchanged there is none.

    Raises `BlindspotsError` where the token may not write there, and where the Space holds
    something else than a bundle's.
    """
    hub = Hub(token)
    yield Event("ask the Hub", 0, 1)
    check_writable(hub, f"The Space {repo.id}", repo.id.split("/")[0])
    seen = look(hub, repo)
    yield Event("ask the Hub", 1, 1)
    if dry_run:
        return Deployed(plan(seen, files), None)
    there = yield from creating(hub, seen, private)
    planned = plan(there, files)
    yield from committing(hub, planned, files, f"Show {lock.reference}")
    return Deployed(planned, hub.page(repo, "").rstrip("/"))
