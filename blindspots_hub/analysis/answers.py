"""Asking a bundle: everything that one analysis can say of it, and what it could not and why."""

from __future__ import annotations

from dataclasses import dataclass

from blindspots_hub.analysis.base import Finding
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import Bundle
from blindspots_hub.errors import BlindspotsError


@dataclass(frozen=True)
class Answers:
    """What one analysis said of a bundle; `left_out` are sentences on what it could not answer.

    `groups` are the models that each finding is about.
    """

    name: str
    title: str
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]

    @property
    def sentences(self) -> list[str]:
        """A sentence a finding."""
        return [finding.sentence for finding in self.findings]

    def __repr__(self) -> str:
        return "\n".join([f"<{self.title}>", *self.sentences, *self.left_out])


def ask(bundle: Bundle, name: str) -> Answers:
    """Everything that one analysis can answer of a bundle, in memory.

    What goes wrong with one group of models is told, and loses no other answer.
    """
    one = analysis(name)
    findings: list[Finding] = []
    groups: list[tuple[str, ...]] = []
    left_out: list[str] = []
    for models in one.groups(bundle) or [()]:
        try:
            findings.append(one.answer(bundle, models))
            groups.append(models)
        except BlindspotsError as error:
            if str(error) not in left_out:
                left_out.append(str(error))
    return Answers(name, one.title, tuple(findings), tuple(left_out), tuple(groups))
