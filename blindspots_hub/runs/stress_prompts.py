"""Prompts of a stress test that a language model writes, by the backends that name concepts."""

from __future__ import annotations

from blindspots_hub.naming.choice import text_model_of
from blindspots_hub.stress.prompt_sources import ANSWER_TOKENS, PromptSource


def written_by(source: str, model: str | None = None, device: str | None = None) -> PromptSource:
    """Prompts that a language model writes about a concept's name.

    `source` is `hf:OWNER/NAME`, an OpenAI-compatible server's address, whose `model` is asked for,
    or a model of transformers by folder or Hub id. Raises `BlindspotsError` where it cannot be
    asked.
    """
    writer = text_model_of(source, model, device, answer_tokens=ANSWER_TOKENS)
    return PromptSource("written", ask=writer.ask, name=writer.name)
