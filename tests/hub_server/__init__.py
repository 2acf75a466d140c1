"""A Hugging Face Hub for the tests: real HTTP on 127.0.0.1 for the real clients.

Repositories are git objects on disk with the shas git would give them; accounts have tokens with
rights; faults are armed one by one. What the real Hub does and this one leaves out is said where
it would be (`server`).
"""

from __future__ import annotations

from hub_server import faults
from hub_server.repository import Repository
from hub_server.server import HubServer
from hub_server.wire import Logged

__all__ = ["HubServer", "Logged", "Repository", "faults"]
