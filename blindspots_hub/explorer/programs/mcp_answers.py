"""MCP tools answer in JSON: Gradio would write a dict as Python does."""

from __future__ import annotations

import json
from typing import Any


def answer_in_json(page: Any) -> None:
    """Let the tools of a launched Gradio page answer objects as JSON text."""
    server = page.mcp_server_obj
    if server is None:
        return
    told = server.postprocess_output_data

    def as_json(data: list[Any], root_url: str) -> Any:
        written = [
            json.dumps(each, ensure_ascii=False) if isinstance(each, dict) else each
            for each in data
        ]
        return told(written, root_url)

    server.postprocess_output_data = as_json
