"""The tests' own Hub, as the real client meets it: if this holds, other tests may trust it."""

from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path

import pytest
from hub_server import faults
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    constants,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from blindspots_hub.utils.hub_errors import http_library
from blindspots_hub.utils.hub_probe import hub_reachable

HTTP = http_library()
CARD = b"---\nlicense: mit\ntags: [birds]\n---\n# Birds\n"
LARGE = bytes(range(256)) * 400


def additions(**changed: bytes) -> list[CommitOperationAdd]:
    files = {"README.md": CARD, "data/large.bin": LARGE, "data/small.txt": b"small", **changed}
    return [CommitOperationAdd(path, content) for path, content in files.items()]


@pytest.fixture
def api(hub) -> HfApi:
    return HfApi()


@pytest.fixture
def birds(hub, api) -> str:
    """A data set with a card, a large file and a small one."""
    repo_id = api.create_repo(f"{hub.owner}/birds", repo_type="dataset").repo_id
    api.create_commit(repo_id, additions(), commit_message="birds", repo_type="dataset")
    return repo_id


def status_of(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


def test_shas_are_gits_own(hub, birds, tmp_path):
    repo = hub.server.repo("dataset", birds)

    def git(*arguments: str, given: bytes = b"") -> str:
        command = ["git", "-C", str(tmp_path), *arguments]
        ran = subprocess.run(command, input=given, capture_output=True, check=True)
        return ran.stdout.decode().strip()

    git("init", "--quiet")
    for path, entry in repo.entries().items():
        if not entry.folder:
            assert git("hash-object", "-w", "--stdin", given=repo.blob(entry.oid)) == entry.oid
            git("update-index", "--add", "--cacheinfo", f"100644,{entry.oid},{path}")
    assert git("write-tree") == repo.commit(repo.head).tree
    asked = ("hash-object", "-t", "commit", "--stdin")
    for commit in reversed(repo.commits()):
        assert git(*asked, "--literally", given=repo.blob(commit.sha)) == commit.sha


def test_a_commit_holds_what_was_sent_and_again_is_none(hub, api, birds):
    repo = hub.server.repo("dataset", birds)
    assert repo.read("data/large.bin") == LARGE
    large = repo.file("data/large.bin")
    assert large.lfs is not None
    assert large.lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert repo.file("README.md").lfs is None
    assert len(repo.commits()) == 2  # the first holds .gitattributes
    with hub.recorded() as requests:
        again = api.create_commit(birds, additions(), commit_message="again", repo_type="dataset")
    assert again.oid == repo.head
    assert len(repo.commits()) == 2
    assert {"commit", "lfs.upload"}.isdisjoint(logged.route for logged in requests)
    changed = additions(**{"data/small.txt": b"other"})
    api.create_commit(birds, changed, commit_message="m", repo_type="dataset")
    assert repo.read("data/small.txt") == b"other"
    assert [commit.message for commit in repo.commits()] == ["m", "birds", "initial commit"]


def test_files_and_folders_are_deleted_and_what_is_not_there_is_not(hub, api, birds):
    def delete(path: str) -> None:
        gone = [CommitOperationDelete(path)]
        api.create_commit(birds, gone, commit_message="gone", repo_type="dataset")

    with pytest.raises(EntryNotFoundError, match="doesn't exist"):
        delete("data/nothing")
    delete("data/")
    assert api.list_repo_files(birds, repo_type="dataset") == [".gitattributes", "README.md"]
    delete("README.md")
    assert hub.server.repo("dataset", birds).paths() == [".gitattributes"]


def test_a_stale_parent_is_refused(hub, api, birds):
    repo = hub.server.repo("dataset", birds)
    parent = repo.head

    def commit() -> str:
        changed = additions(**{"a.txt": b"mine"})
        info = api.create_commit(
            birds, changed, commit_message="m", repo_type="dataset", parent_commit=parent
        )
        return info.oid

    race = faults.Meanwhile(route="commit", do=lambda: repo.write({"b.txt": b"theirs"}))
    hub.server.fail(race)
    with pytest.raises(HfHubHTTPError) as refused:
        commit()
    assert status_of(refused) == 412
    assert "a.txt" not in repo.paths()
    parent = repo.head
    assert commit() == repo.head
    assert {"a.txt", "b.txt"} <= set(repo.paths())


def test_tags_branches_and_history(hub, api, birds):
    repo = hub.server.repo("dataset", birds)
    first = repo.head
    api.create_tag(birds, tag="v1.0.0", repo_type="dataset")
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_tag(birds, tag="v1.0.0", repo_type="dataset")
    assert status_of(refused) == 409
    api.create_branch(birds, branch="next", repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"2",
        path_in_repo="two",
        repo_id=birds,
        repo_type="dataset",
        revision="next",
    )
    refs = api.list_repo_refs(birds, repo_type="dataset")
    assert {tag.name: tag.target_commit for tag in refs.tags} == {"v1.0.0": first}
    assert {branch.name for branch in refs.branches} == {"main", "next"}
    assert repo.head == first != repo.branches["next"]
    history = api.list_repo_commits(birds, repo_type="dataset", revision="next")
    assert [c.commit_id for c in history] == [c.sha for c in repo.commits("next")]
    assert api.dataset_info(birds, revision=first[:9]).sha == first
    repo.move_tag("v1.0.0", "next")
    assert api.dataset_info(birds, revision="v1.0.0").sha == repo.branches["next"]
    api.delete_tag(birds, tag="v1.0.0", repo_type="dataset")
    api.delete_branch(birds, branch="next", repo_type="dataset")
    for call in (api.delete_tag, api.dataset_info):
        name = {"tag": "v1.0.0", "repo_type": "dataset"} if call == api.delete_tag else {}
        with pytest.raises(RevisionNotFoundError):
            call(birds, **(name or {"revision": "v1.0.0"}))
    with pytest.raises(RevisionNotFoundError):
        api.create_commit(
            birds, additions(), commit_message="m", repo_type="dataset", revision="nowhere"
        )


def test_trees_come_in_pages_and_paths_one_by_one(hub, api, birds, monkeypatch):
    many = {f"many/{i:02}.txt": str(i).encode() for i in range(23)}
    hub.server.repo("dataset", birds).write(many)
    monkeypatch.setattr(hub.server, "page_size", 5)
    with hub.recorded() as requests:
        files = api.list_repo_files(birds, repo_type="dataset")
    assert files == sorted(
        [*many, ".gitattributes", "README.md", "data/large.bin", "data/small.txt"]
    )
    assert len(requests) == 6
    tree = {e.path: e for e in api.list_repo_tree(birds, repo_type="dataset", expand=True)}
    assert set(tree) == {".gitattributes", "README.md", "data", "many"}
    assert tree["README.md"].last_commit.title == "birds"
    found = api.get_paths_info(birds, ["data", "data/large.bin", "no"], repo_type="dataset")
    assert [entry.path for entry in found] == ["data", "data/large.bin"]
    assert found[1].lfs.sha256 == hashlib.sha256(LARGE).hexdigest()
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(birds, "nowhere", repo_type="dataset"))


def test_downloads_resume_and_ranges(hub, birds):
    url = hf_hub_url(birds, "data/large.bin", repo_type="dataset")
    meta = get_hf_file_metadata(url, token=hub.token)
    assert meta.etag == hashlib.sha256(LARGE).hexdigest()
    assert meta.size == len(LARGE)
    assert meta.commit_hash == hub.server.repo("dataset", birds).head
    assert meta.location.startswith(hub.server.storage)
    for asked, status, got in (
        ("bytes=10-19", 206, LARGE[10:20]),
        ("bytes=102390-", 206, LARGE[102390:]),
        ("bytes=-7", 206, LARGE[-7:]),
        (f"bytes={len(LARGE)}-", 416, None),
    ):
        answer = HTTP.get(meta.location, headers={"Range": asked})
        assert answer.status_code == status
        assert got is None or answer.content == got
    assert HTTP.get(meta.location.replace("X-Signature=", "X-Signature=0")).status_code == 403
    hub.server.fail(faults.CutDownload(sent=1000))
    with hub.recorded() as requests:
        path = hf_hub_download(birds, "data/large.bin", repo_type="dataset")
    assert Path(path).read_bytes() == LARGE
    assert [logged.route for logged in requests].count("download.lfs") == 2
    hub.server.fail(faults.CutDownload(sent=2, reset=True))
    with pytest.raises(HTTP.ReadError):  # not retried by the client
        hf_hub_download(birds, "data/small.txt", repo_type="dataset", force_download=True)


def test_what_is_not_there_is_told_by_name(hub, birds):
    for wrong, error in (
        ({"repo_id": f"{hub.owner}/nothing"}, RepositoryNotFoundError),
        ({"repo_id": "nobody/nothing", "token": False}, RepositoryNotFoundError),
        ({"revision": "v9.9.9"}, RevisionNotFoundError),
        ({"revision": "0" * 40}, RevisionNotFoundError),
        ({"filename": "nothing.txt"}, EntryNotFoundError),
        ({"filename": "data"}, EntryNotFoundError),
    ):
        asked = {"repo_id": birds, "filename": "README.md", "repo_type": "dataset", **wrong}
        with pytest.raises(error):
            hf_hub_download(**asked)


def test_a_known_sha_in_a_warm_cache_costs_no_call(hub, birds, tmp_path):
    sha = hub.server.repo("dataset", birds).head
    snapshot = snapshot_download(birds, repo_type="dataset", revision=sha)
    assert (Path(snapshot) / "data/large.bin").read_bytes() == LARGE
    with hub.recorded() as requests:
        again = hf_hub_download(birds, "data/large.bin", repo_type="dataset", revision=sha)
        assert again.startswith(snapshot)
    assert requests == []
    local = tmp_path / "local"
    snapshot_download(birds, repo_type="dataset", revision=sha, local_dir=local)
    assert (local / "data/small.txt").read_bytes() == b"small"


def test_offline_is_offline(hub, birds, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with hub.recorded() as requests:
        with pytest.raises(OfflineModeIsEnabled):
            HfApi().dataset_info(birds)
        with pytest.raises(LocalEntryNotFoundError):
            hf_hub_download(birds, "README.md", repo_type="dataset")
    assert requests == []


def test_without_the_fixture_tests_are_offline_and_nothing_else_is_looked_up():
    import socket

    assert constants.HF_HUB_OFFLINE
    assert constants.ENDPOINT.startswith("http://127.0.0.1:")
    with pytest.raises(socket.gaierror, match=r"do not look up huggingface\.co"):
        socket.getaddrinfo("huggingface.co", 443)


def test_rights(hub, api):
    server = hub.server
    other = f"{hub.owner}-other"
    theirs = HfApi(token=server.add_user(other))
    server.add_org(f"{hub.owner}-lab", **{hub.owner: "write", other: "read"})
    lab = f"{hub.owner}-lab/birds"
    me = api.whoami()
    assert (me["name"], me["orgs"][0]["name"]) == (hub.owner, f"{hub.owner}-lab")
    assert me["auth"]["accessToken"]["role"] == "write"
    assert api.create_repo(lab, private=True).endswith(lab)
    assert theirs.model_info(lab).private  # of the organisation: may read, not write
    mine = f"{hub.owner}/own"
    api.create_repo(mine, private=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(mine)
    assert status_of(refused) == 409
    api.create_repo(mine, exist_ok=True)
    for stranger in (theirs, HfApi(token=False)):
        with pytest.raises(RepositoryNotFoundError):
            stranger.model_info(mine)
        with pytest.raises(RepositoryNotFoundError):
            stranger.hf_hub_download(mine, "README.md")
    fine = server.token(hub.owner, "fineGrained", (f"{hub.owner}-lab",))
    HfApi(token=fine).create_repo(f"{hub.owner}-lab/fine")
    for token, repo_id in (
        (server.token(hub.owner, "read"), mine),
        (fine, mine),
        (theirs.token, lab),
    ):
        with pytest.raises(HfHubHTTPError) as refused:
            HfApi(token=token).upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo_id)
        assert status_of(refused) == 403
        with pytest.raises(HfHubHTTPError) as refused:
            HfApi(token=token).create_repo(f"{repo_id}-new")
        assert status_of(refused) == 403
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        HfApi(token="hf_nobodys").whoami()
    with pytest.raises(HfHubHTTPError) as refused:
        HfApi(token="hf_nobodys").model_info(lab)
    assert status_of(refused) == 401
    api.update_repo_settings(mine, private=False)
    assert not HfApi(token=False).model_info(mine).private
    with pytest.raises(HfHubHTTPError):
        theirs.delete_repo(mine)
    api.delete_repo(mine)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info(mine)


def test_a_gate_lets_in_whom_it_knows(hub, api, birds):
    repo = hub.server.repo("dataset", birds)
    api.update_repo_settings(birds, repo_type="dataset", gated="manual")
    visitor = f"{hub.owner}-visitor"
    token = hub.server.add_user(visitor)
    for who, status in ((token, 403), (False, 401)):
        with pytest.raises(GatedRepoError) as refused:
            hf_hub_download(birds, "README.md", repo_type="dataset", token=who)
        assert status_of(refused) == status
        assert HfApi(token=who).dataset_info(birds).gated == "manual"
    repo.admitted.add(visitor)
    assert hf_hub_download(birds, "README.md", repo_type="dataset", token=token)


def test_cards_are_checked_before_they_are_committed(hub, api):
    repo_id = api.create_repo(f"{hub.owner}/page", repo_type="space", space_sdk="gradio").repo_id
    for front, told in (
        ("sdk: gradio\nlicense: mine", "license"),
        ("sdk: tkinter", "sdk"),
        ("sdk: gradio\nshort_description: " + "long " * 20, "short_description"),
        ("sdk: [gradio", "YAML"),
    ):
        with pytest.raises(ValueError, match=told):
            api.upload_file(
                path_or_fileobj=f"---\n{front}\n---\n".encode(),
                path_in_repo="README.md",
                repo_id=repo_id,
                repo_type="space",
            )
    assert api.space_info(repo_id).sdk == "gradio"


def test_a_push_as_pull_request_changes_main_when_it_is_merged(hub, api, birds):
    repo = hub.server.repo("dataset", birds)
    head = repo.head
    visitor = HfApi(token=hub.server.add_user(f"{hub.owner}-visitor"))
    pushed = visitor.create_commit(
        birds, additions(new=b"1"), commit_message="new", repo_type="dataset", create_pr=True
    )
    assert (pushed.pr_num, pushed.pr_revision) == (1, "refs/pr/1")
    assert repo.head == head
    assert repo.read("new", "refs/pr/1") == b"1"
    assert [d.title for d in api.get_repo_discussions(birds, repo_type="dataset")] == ["new"]
    with pytest.raises(HfHubHTTPError):
        visitor.merge_pull_request(birds, 1, repo_type="dataset")
    api.merge_pull_request(birds, 1, repo_type="dataset")
    assert repo.head == pushed.oid
    assert api.get_discussion_details(birds, 1, repo_type="dataset").status == "merged"
    refs = api.list_repo_refs(birds, repo_type="dataset", include_pull_requests=True)
    assert [pull.target_commit for pull in refs.pull_requests] == [pushed.oid]


def test_collections_are_found_by_owner_and_title(hub, api):
    names = [api.create_repo(f"{hub.owner}/m{i}").repo_id for i in range(6)]
    made = api.create_collection("My Birds", namespace=hub.owner, description="all of them")
    assert made.slug.startswith(f"{hub.owner}/my-birds-")
    for name in names:
        api.add_collection_item(made.slug, name, "model")
    with pytest.raises(HfHubHTTPError) as refused:
        api.add_collection_item(made.slug, names[0], "model")
    assert status_of(refused) == 409
    with pytest.raises(HfHubHTTPError) as refused:
        api.add_collection_item(made.slug, "nobody/nothing", "model")
    assert status_of(refused) == 404
    (listed,) = api.list_collections(owner=hub.owner)
    assert (listed.slug, len(listed.items)) == (made.slug, 4)  # a list shows four at most
    assert [item.item_id for item in api.get_collection(made.slug).items] == names
    again = api.create_collection("My Birds", namespace=hub.owner, exists_ok=True)
    assert again.slug == made.slug


def test_an_upload_cut_short_is_tried_again(hub, api, birds):
    cut = hub.server.fail(faults.CutUpload(route="lfs.upload", received=1000))
    changed = additions(**{"data/other.bin": LARGE * 30})
    api.create_commit(birds, changed, commit_message="m", repo_type="dataset")
    assert cut.struck == 1
    assert hub.server.repo("dataset", birds).read("data/other.bin") == LARGE * 30


def test_an_object_of_other_bytes_is_refused(hub, api, birds):
    hub.server.fail(faults.DamagedUpload())
    changed = additions(**{"data/other.bin": LARGE * 2})
    with pytest.raises(RuntimeError, match=r"data/other\.bin"):
        api.create_commit(birds, changed, commit_message="m", repo_type="dataset")
    assert "data/other.bin" not in hub.server.repo("dataset", birds).paths()


def test_a_commit_whose_answer_is_lost_is_there(hub, api, birds):
    hub.server.fail(faults.LostAnswer(route="commit"))
    with pytest.raises(HTTP.TransportError):
        api.create_commit(birds, additions(x=b"1"), commit_message="m", repo_type="dataset")
    assert "x" in hub.server.repo("dataset", birds).paths()


def test_503_on_one_route_of_one_repository(hub, api, birds):
    down = hub.server.fail(faults.Status(route="commit", repo=f"dataset/{birds}"), times=None)
    other = api.create_repo(f"{hub.owner}/other").repo_id
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=other)
    for _ in range(2):
        with pytest.raises(HfHubHTTPError) as refused:
            api.create_commit(birds, additions(x=b"1"), commit_message="m", repo_type="dataset")
        assert status_of(refused) == 503
    assert down.struck == 2
    hub.server.heal()
    api.create_commit(birds, additions(x=b"1"), commit_message="m", repo_type="dataset")


@pytest.mark.parametrize("path", ["data/large.bin", "data/small.txt"])
def test_a_corrupt_download_of_the_right_size_is_taken_by_the_client(hub, birds, path):
    hub.server.fail(faults.CorruptDownload(path=path))
    right = hub.server.repo("dataset", birds).read(path)
    wrong = Path(hf_hub_download(birds, path, repo_type="dataset")).read_bytes()
    assert wrong != right
    assert len(wrong) == len(right)
    again = hf_hub_download(birds, path, repo_type="dataset", force_download=True)
    assert Path(again).read_bytes() == right


def test_the_probe_tells_a_hub_that_answers_from_one_that_does_not(hub, monkeypatch):
    assert hub_reachable()
    hub.server.fail(faults.Status(), times=None)
    assert hub_reachable()
    hub.server.heal()
    hub.server.fail(faults.Silent(), times=None)
    assert not hub_reachable(timeout=0.2)
    hub.server.heal()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert not hub_reachable()


def test_a_hub_that_never_answers_and_one_that_is_slow(hub, birds):
    url = f"{hub.endpoint}/api/datasets/{birds}"
    hub.server.fail(faults.Silent(route="repo.info"))
    with pytest.raises(HTTP.ReadTimeout):
        HTTP.get(url, timeout=0.2)
    hub.server.fail(faults.Slow(route="repo.info", seconds=0.2))
    start = time.monotonic()
    assert HTTP.get(url).json()["id"] == birds
    assert time.monotonic() - start >= 0.2
