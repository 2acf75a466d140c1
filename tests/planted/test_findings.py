"""The paper's findings in the planted world: each sign, from its known cause, by its analysis."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from blindspots_hub import planted
from blindspots_hub.analysis.answers import ask
from blindspots_hub.analysis.registry import analysis
from blindspots_hub.artifacts.bundle import load_bundle

BASES = ("alder-1", "alder-2", "cedar", "willow")


@cache
def bundle() -> Any:
    return load_bundle(planted.BUNDLE)


@cache
def table(name: str, *models: str) -> dict[str, Any]:
    return analysis(name).answer(bundle(), models).table


@pytest.mark.parametrize("model", BASES)
def test_5_1_more_is_suppressed_than_exaggerated(model: str) -> None:
    found = table("delta_histogram", model)
    all_concepts = [
        i
        for i, (kind, over) in enumerate(zip(found["kind"], found["over"], strict=True))
        if (kind, over) == ("absolute", "all")
    ]
    assert found["skewness"][all_concepts[0]] < 0


def test_5_2_siblings_agree_most() -> None:
    found = analysis("agreement_matrix").answer(bundle(), BASES).to_pandas()
    shown = found[found.measure == "relative_delta"].set_index(["model", "other"]).pearson
    assert shown.idxmax() == ("alder-1", "alder-2")
    assert shown.max() > 0.8
    assert shown.min() < shown.max() - 0.1


def test_5_2_no_two_models_agree_more_than_noise_allows() -> None:
    found = analysis("agreement_matrix").answer(bundle(), BASES).to_pandas()
    other = found[(found.model == "cedar") & (found.other == "willow")]
    assert (other.pearson < other.ceiling).all()


def test_5_3_faults_of_all_are_shared_and_faults_of_one_are_not() -> None:
    found = table("shared_blindspots", *BASES)
    by = dict(zip(found["whose"], found["exaggerated"], strict=True))
    labels = bundle().labels
    shared = {labels[k] for side in ("suppressed", "exaggerated") for k in found[side][0]}
    assert shared & {"shadow under animal", "palm tree", "blank page", "wood background"}
    assert not shared & {"pan", "glossy disc", "bird feeder"}
    assert set(by) == {"all models", *BASES, "open"}


@pytest.mark.parametrize("model", BASES)
def test_5_4_large_differences_have_noisy_captions_more_often(model: str) -> None:
    found = table("notable_pairs", model)
    assert found["noisy_low"][0] > found["noisy_overall"][0]
    assert found["memorised"][0]


def test_5_5_the_variant_is_nearer_and_fixes_more_than_it_breaks() -> None:
    found = table("model_comparison", "alder-1", "alder-1-tuned")
    assert found["other_distance_median"][0] < found["model_distance_median"][0]
    assert len(found["fixed"][0]) > 3 * len(found["broken"][0])


@pytest.mark.parametrize("model", BASES)
def test_5_6_rare_concepts_misalign_more_and_chance_alone_does_so_too(model: str) -> None:
    found = table("frequency", model)
    assert found["spearman"][0] < 0
    assert np.isfinite(found["null"][0])


@pytest.mark.parametrize("model", BASES)
def test_f_sparsity_is_kept_and_entries_change(model: str) -> None:
    found = table("coactivation", model)
    natural, own = found["sparsity_natural"][0][0], found["sparsity_generated"][0][0]
    assert own == pytest.approx(natural, abs=0.02)
    assert found["unshared"][0][0] > found["unshared_null"][0][0]
    assert found["exponent_generated"][0] > 0


def test_the_theorems_hold() -> None:
    found = table("theorem_checks", "alder-1")
    assert found["halves_agree"] == found["judged"]
    assert found["disordered"] == [0]


def test_reviewers_redundancy_does_not_make_the_blindspots() -> None:
    found = analysis("redundancy").answer(bundle(), ("alder-1",)).to_pandas()
    near = found[found.bound == 0.9].iloc[0]
    assert near["duplicated"] < 0.2 * near["live"]
    assert near.merged_changed == pytest.approx(near.changed, abs=3)


def test_what_the_embedded_bundle_lacks_is_told() -> None:
    for name in ("fid_bounds", "other_metrics", "token_kinds"):
        answers = ask(bundle(), name)
        assert answers.findings or "needs" in answers.left_out[0]
