"""What others wrote shows as text in a card, and does nothing else."""

from __future__ import annotations

import ast
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindspots_hub.artifacts.cards.markdown import Markdown, code, quoted, shell, shown, text

HOSTILE = (
    "# heading",
    "---",
    "===",
    "- item",
    "1. item",
    "[click](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "a | b",
    "**bold** _it_ `code` ~~gone~~",
    "{{ field }} {% for %}",
    "first\n---\nlicense: mit",
    "www.evil.example mail@evil.example",
    "‮backwards\x07",
)


def rendered(markdown: str) -> list[tuple[str, str]]:
    """(type, content) of everything in `markdown`, by CommonMark with tables, links and strikes."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    parser.enable(["table", "strikethrough"])
    tokens = parser.parse(markdown)
    inline = [child for token in tokens for child in token.children or ()]
    return [(token.type, token.content) for token in (*tokens, *inline)]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_stays_text(hostile: str) -> None:
    found = rendered(text(hostile))
    plain = {"paragraph_open", "inline", "paragraph_close", "text", "text_special"}
    assert {kind for kind, _ in found} <= plain
    shown_text = "".join(content for kind, content in found if kind in ("text", "text_special"))
    assert shown_text == " ".join("".join(c for c in hostile if c not in "‮\x07").split())


@pytest.mark.parametrize("hostile", HOSTILE)
def test_text_and_code_fit_a_cell_and_hold_no_field(hostile: str) -> None:
    for filled in (text(hostile), code(hostile)):
        found = rendered(f"| a | b |\n| --- | --- |\n| {filled} | last |\n")
        cells = [content for kind, content in found if kind == "inline"]
        assert len(cells) == 4
        assert cells[-1] == "last"
        assert "{{" not in filled
        assert "{%" not in filled


def test_plain_words_stay_as_they_are() -> None:
    for plain in ("Alder 1, tuned", "0.681", "-0.5", "sd15 (512×512)", "batch_topk", "+cpu", "δ<"):
        assert text(plain).replace("&lt;", "<") == plain


@given(st.text())
def test_quoted_is_the_python_string(value: str) -> None:
    literal = quoted(value)
    assert ast.literal_eval(literal) == value
    assert "\n" not in literal
    assert "{{" not in literal


def test_shell_is_one_word() -> None:
    assert shell("org/name") == "org/name"
    assert shlex.split(shell("a b; rm -rf $HOME")) == ["a b; rm -rf $HOME"]


def test_a_field_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="None"):
        shown(None)
    assert shown(3) == 3
    assert shown(Markdown("**kept**")) == "**kept**"
    assert shown("**not kept**") == r"\*\*not kept\*\*"
