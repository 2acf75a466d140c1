"""All that the server answers, a module a subject; importing them registers their routes."""

from __future__ import annotations

from hub_server.routes import account, commits, discussions, files, lfs, refs, repos, tree, xet
from hub_server.routes.collections import Collection

__all__ = [
    "Collection",
    "account",
    "commits",
    "discussions",
    "files",
    "lfs",
    "refs",
    "repos",
    "tree",
    "xet",
]
