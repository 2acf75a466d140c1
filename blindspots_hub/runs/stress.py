"""`stress_test`: is a blindspot one too when it is put to the test (appendix G)?

Prompts that ask for a suppressed concept, or that do not ask for an exaggerated one, are drawn by
the model, and by a second one where that is given; each image's energy of the concept says whether
it shows it; the shares give a verdict (METHOD §9).
Images and codes are kept as they are made, so that a run that was stopped goes on where it was and
ends with the same tables, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import monotonic

import numpy as np
import pyarrow as pa

from blindspots_hub import planted
from blindspots_hub.artifacts.bundle import Bundle, load_bundle
from blindspots_hub.artifacts.layout import BACKBONE, NATURAL, SAE, table_path
from blindspots_hub.artifacts.optional import add_tables, check_keeps
from blindspots_hub.artifacts.parquet import read_table
from blindspots_hub.artifacts.schema import (
    STRESS_IMAGES,
    STRESS_TESTS,
    TableSpec,
)
from blindspots_hub.artifacts.stress_tables import SPECS, joined
from blindspots_hub.artifacts.writer import write_table
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.generation.access import OWNER, Access
from blindspots_hub.generation.additions import Additions, Memory
from blindspots_hub.generation.models import resolve
from blindspots_hub.progress import Call, Event, Work
from blindspots_hub.runs.evaluation import RunOptions
from blindspots_hub.runs.generate import changed, with_settings
from blindspots_hub.runs.pace import WORK, Meter, pace_keys
from blindspots_hub.runs.session import Session, Workers
from blindspots_hub.runs.stress_request import (
    directions_of,
    energies_of,
    levels_of,
    prompts_of,
)
from blindspots_hub.runs.stress_side import Side, SidePlan, draw_side
from blindspots_hub.serving.disk import prune
from blindspots_hub.stress.naming_captions import naming_rows, silent_rows
from blindspots_hub.stress.prompt_sources import GIVEN, PromptSource
from blindspots_hub.stress.prompts import IMAGES, PROMPTS, Prompts
from blindspots_hub.stress.rates import Shown
from blindspots_hub.stress.result import ConceptTest, image_rows, test_rows
from blindspots_hub.stress.verdict import SUPPRESSED, judge
from blindspots_hub.utils.dtypes import DType
from blindspots_hub.utils.files import fingerprint
from blindspots_hub.utils.folder_lock import in_turn

KEPT = 2 * 1024**3
"""Bytes of images and codes that stay in `WORK` beside a run's own: the oldest go first. Tables
keep small pictures of all images; what went is drawn again where it is asked for again."""

USUAL = PromptSource()


@dataclass(frozen=True)
class StressResult:
    """What a run found: rows of STRESS_TESTS and STRESS_IMAGES of its own concepts.

    `place` is the folder whose tables they were added to: the bundle's, or the one that was given.
    """

    tests: pa.Table
    images: pa.Table
    place: Path

    @property
    def sentences(self) -> list[str]:
        """A sentence a concept."""
        return list(self.tests["sentence"].to_pylist())

    def __repr__(self) -> str:
        return "\n".join(["<Stress test>", *self.sentences])


@Call
def stress_test(
    bundle: Bundle | str | Path,
    model: str,
    *,
    concepts: Sequence[int],
    against: str | None = None,
    direction: str | None = None,
    prompts: PromptSource = USUAL,
    num_prompts: int = PROMPTS,
    num_images_per_prompt: int = IMAGES,
    seed: int = 0,
    work_dir: str | Path | None = None,
    device: str | None = None,
    num_inference_steps: int | None = None,
    guidance_scale: float | None = None,
    height: int | None = None,
    width: int | None = None,
    dtype: DType | None = None,
    unet: str | None = None,
    additions: Additions | None = None,
    memory: Memory | None = None,
    batch_size: int = 1,
    previews: bool = False,
    access: Access = OWNER,
    access_against: Access = OWNER,
    clock: Callable[[], float] = monotonic,
) -> Work[StressResult]:
    """Put `concepts` of a bundle to the test with `model`, and keep the verdicts in the bundle.

    `prompts` says where the `num_prompts` prompts a concept come from: by default captions of the
    bundle that name it, else templates over its label, else captions of images in which it fires.
    Prompts of an exaggerated concept do not ask for it: captions that do not name it. `direction`
    says as what all concepts are tested, "suppressed" or "exaggerated"; None leaves it to each
    one's state in the bundle's table of the model. Each prompt is drawn `num_images_per_prompt`
    times, by the second model `against` too. The other arguments are those of `evaluate`;
    settings, `unet` and `additions` change `model` only, `dtype` and `memory` both models.

    Where `work_dir` is given images, codes and tables are kept there, and the bundle is left as it
    is; otherwise images lie in its hidden folder `.stress`, of older runs `KEPT` bytes at most. Run
    again with the same arguments it goes on where it stopped. `clock` tells seconds. Raises
    `BlindspotsError` for what the user can mend; what was made stays.
    """
    planted.register()
    opened = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    root = opened.root if work_dir is None else Path(work_dir).expanduser().resolve()
    work = root / WORK
    if work_dir is None:
        check_keeps(root)
    if work_dir is None and not os.access(root, os.W_OK):
        raise BlindspotsError(
            f"{root} cannot be written: name a folder for the result (--work), or copy the bundle "
            "to a folder of yours."
        )
    levels = levels_of(opened, concepts)
    if num_images_per_prompt < 1:
        raise BlindspotsError(
            f"A prompt cannot be drawn {num_images_per_prompt} times: ask for at least 1."
        )
    tested = with_settings(
        resolve(model), num_inference_steps, guidance_scale, height, width, dtype
    )
    models = [changed(replace(tested, access=access), unet, additions, memory)]
    if against is not None:
        second = with_settings(resolve(against), None, None, None, None, dtype)
        models.append(changed(replace(second, access=access_against), None, None, memory))
        if models[1].name == models[0].name:
            raise BlindspotsError(
                f"{against} is the model under test by its name: name another model to hold it "
                "against."
            )
    opened.require(SAE, *({BACKBONE} & opened.parts))
    directions = directions_of(opened, models[0].name, list(levels), direction)
    asked = yield from prompts_of(opened, directions, prompts, num_prompts, seed, work)
    workers = Workers.join(device)
    settings = (num_inference_steps, guidance_scale, height, width, dtype)
    keys = pace_keys(model, against, settings)
    sets = [one.texts for one in {fingerprint(one.texts): one for one in asked.values()}.values()]
    plans = [
        SidePlan.of(one, key, sets, num_images_per_prompt, seed, work)
        for one, key in zip(models, keys, strict=True)
    ]
    run = _Run(opened, root, work, levels, directions, asked, plans, num_images_per_prompt, seed)
    found = run.work(workers, RunOptions(max(batch_size, 1), previews), clock)
    return (yield from workers.alone(work, f"stress {models[0].name}", found))


@dataclass(frozen=True)
class _Run:
    """One stress test under way."""

    bundle: Bundle
    root: Path
    folder: Path
    levels: Mapping[int, float]
    directions: Mapping[int, str]
    asked: Mapping[int, Prompts]
    plans: Sequence[SidePlan]
    num_images_per_prompt: int
    seed: int

    def work(
        self, workers: Workers, options: RunOptions, clock: Callable[[], float]
    ) -> Work[StressResult]:
        """Draw with one model after the other, and judge."""
        session = yield from Session.opening(self.bundle, workers)
        processes = workers.processes.count
        left = {plan.key: -(-plan.left // processes) for plan in self.plans}
        meter = Meter(self.folder, left, clock)
        sides: list[dict[str, Side]] = []
        for plan in self.plans:
            made = yield from draw_side(plan, session, options, meter)
            sides.append({fingerprint(dict(side.texts)): side for side in made})
        tests = [self._test(concept, sides) for concept in self.levels]
        verdicts = judge([one.comparison for one in tests])
        today = date.today().isoformat()
        rows = test_rows(tests, verdicts, self.num_images_per_prompt, self.seed, today)
        images = pa.concat_tables([image_rows(one) for one in tests])
        own = joined([{STRESS_TESTS: rows, STRESS_IMAGES: images}])
        yield from workers.first(self._keep(own))
        yield from workers.first(self._tidied())
        return StressResult(own[STRESS_TESTS], own[STRESS_IMAGES], self.root)

    def _test(self, concept: int, sides: Sequence[Mapping[str, Side]]) -> ConceptTest:
        prompts, level = self.asked[concept], self.levels[concept]
        drawn = [
            side[fingerprint(prompts.texts)].drawn(concept, self.bundle.tokens) for side in sides
        ]
        return ConceptTest(
            concept,
            self.bundle.labels[concept],
            prompts,
            level,
            drawn[0],
            drawn[1] if len(drawn) > 1 else None,
            self._natural_shown(concept, level),
            self.directions[concept],
        )

    def _natural_shown(self, concept: int, level: float) -> Shown | None:
        """Natural images whose caption names the concept; one caption is one prompt of theirs.

        Of an exaggerated one all those whose caption does not, as the prompts are some of these
        captions; None where they are not.
        """
        captions = self.bundle.captions(self.bundle.image_ids(NATURAL))
        label = self.bundle.labels[concept]
        if self.directions[concept] == SUPPRESSED:
            rows = naming_rows(captions, label)
        elif self.asked[concept].origin != GIVEN:
            rows = silent_rows(captions, label)
        else:
            return None
        if not len(rows):
            return None
        texts = {text: i for i, text in enumerate(dict.fromkeys(captions[row] for row in rows))}
        caption = np.array([texts[captions[row]] for row in rows], np.int64)
        return Shown.of(energies_of(self.bundle, concept)[rows], caption, len(texts), level)

    def _tidied(self) -> Work[None]:
        """Remove what older runs left beyond `KEPT` bytes; this run's own stays."""
        yield from ()
        prune(self.folder, KEPT, [one for plan in self.plans for one in plan.folders])

    def _keep(self, own: Mapping[TableSpec, pa.Table]) -> Work[None]:
        """Add the run's rows to those of earlier ones."""
        yield Event("keep the verdicts", 0, 1)
        if self.root == self.bundle.root:
            with in_turn(self.root):
                bundle = load_bundle(self.root)
                before = {spec: bundle.optional(spec) for spec in SPECS}
                add_tables(self.root, joined([*_whole(before), own]))
            return
        paths = {spec: table_path(self.root, spec) for spec in SPECS}
        there = {spec: read_table(path) if path.is_file() else None for spec, path in paths.items()}
        for spec, table in joined([*_whole(there), own]).items():
            write_table(self.root, spec, {name: table[name] for name in spec.names})


def _whole(tables: Mapping[TableSpec, pa.Table | None]) -> list[dict[TableSpec, pa.Table]]:
    """The two tables, where both are there."""
    found = {spec: table for spec, table in tables.items() if table is not None}
    return [found] if len(found) == len(SPECS) else []
