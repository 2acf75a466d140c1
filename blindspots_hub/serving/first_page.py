"""What the page will need is named in its first answer: an ASGI middleware before Gradio's routes.

A browser then asks for all of it at once, while the page's scripts are still on their way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from blindspots_hub.serving.asgi import App, Message, Receive, Scope, Send, path_read

_END = b"</head>"


class FirstPage:
    """Puts `hints` (see `hint_script` and `ask_ahead`) at the end of the page's head."""

    def __init__(self, app: App, hints: Sequence[str]) -> None:
        self.app, self._hints = app, "".join(hints).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        named = path_read(scope) == "/" and bool(self._hints)
        await self.app(scope, receive, self._dressed(send) if named else send)

    def _dressed(self, send: Send) -> Send:
        """`send` that holds the page's start back until all of its body is there."""
        held: list[Message] = []

        async def dressed(message: Message) -> None:
            starts = message["type"] == "http.response.start" and message["status"] == 200
            if starts or held:
                held.append(message)
            if not held:
                await send(message)
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                body = b"".join(one.get("body", b"") for one in held[1:])
                body = body.replace(_END, self._hints + _END, 1)
                headers = [
                    (name, value)
                    for name, value in held[0].get("headers", ())
                    if name.lower() != b"content-length"
                ]
                length = (b"content-length", str(len(body)).encode())
                await send({**held[0], "headers": [*headers, length]})
                await send({"type": "http.response.body", "body": body})
                held.clear()

        return dressed


def hint_script(path: str) -> str:
    """That the page will run the script at `path`, or be styled by it, as HTML.

    Styles are small and many: they wait until the scripts are on their way.
    """
    if path.endswith(".css"):
        how = "rel=preload as=style fetchpriority=low"
    else:
        how = "rel=modulepreload fetchpriority=high"
    return f'<link {how} crossorigin href="{escape(path)}">'


def ask_ahead(paths: Sequence[str]) -> str:
    """A script that asks for the JSON at `paths` at once, as HTML.

    The page's scripts find promises of it in `window.ahead`, by path; null where it did not come.
    """
    # Inside a script "<" could end it.
    listed = json.dumps(list(paths)).replace("<", "\\u003c")
    asked = "[path, fetch(path).then((answer) => answer.json()).catch(() => null)]"
    return f"<script>window.ahead = Object.fromEntries({listed}.map((path) => {asked}));</script>"
