"""What the Hub checks of a card's front matter when it is committed."""

from __future__ import annotations

import re

import yaml

LICENSES = {
    *("apache-2.0", "mit", "openrail", "creativeml-openrail-m", "bigscience-openrail-m"),
    *("bsd-2-clause", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense"),
    *("cc", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0"),
    *("cc-by-nd-4.0", "cc-by-nc-nd-4.0", "cdla-permissive-2.0", "odc-by", "odbl", "pddl"),
    *("other", "unknown"),
}
"""Licences by the Hub's names (the commoner ones)."""

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SDKS = {"gradio", "streamlit", "docker", "static"}
SIZES = {
    *("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B"),
    *("1B<n<10B", "10B<n<100B", "100B<n<1T", "n>1T"),
}
REPO_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def front_matter(content: bytes | str) -> tuple[object, str | None]:
    """A card's front matter (`None` without one), and what is wrong with its YAML."""
    text = content.decode() if isinstance(content, bytes) else content
    match = re.match(r"---\r?\n(.*?\r?\n)?---\r?(\n|$)", text, re.DOTALL)
    if not match:
        return None, None
    try:
        return yaml.safe_load(match[1] or ""), None
    except yaml.YAMLError as error:
        return None, str(error)


def check_card(content: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors, for which the Hub refuses the commit, and warnings, for a card of a kind of repo."""
    found, broken = front_matter(content)
    if broken:
        return [f"YAML Metadata error: {broken}"], []
    if not found:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(found, dict):
        return ["YAML Metadata must be an object"], []
    errors = [
        f'"{name}" must not be empty'
        for name in ("license", "language")
        if found.get(name, 0) == ""
    ]
    licences = found.get("license")
    for licence in licences if isinstance(licences, list) else [licences] * (licences is not None):
        if licence not in LICENSES:
            errors.append(f'"license" must be one of the known identifiers, not {licence!r}')
    for name in ("tags", "datasets", "models", "task_categories", "configs", "size_categories"):
        if name in found and not isinstance(found[name], list):
            errors.append(f'"{name}" must be an array')
    for name in ("datasets", "models", "base_model"):
        listed = found.get(name) or []
        for repo_id in [listed] if isinstance(listed, str) else listed:
            if not REPO_ID.fullmatch(str(repo_id)):
                errors.append(f'"{name}" must be repo ids, not {repo_id!r}')
    checks = {"space": _space, "dataset": _dataset, "model": _model}
    return errors + checks[kind](found), []


def _space(found: dict) -> list[str]:
    errors = []
    if found.get("sdk") not in SDKS:
        errors.append(f'"sdk" must be one of {sorted(SDKS)}')
    for name in ("colorFrom", "colorTo"):
        if name in found and found[name] not in COLOURS:
            errors.append(f'"{name}" must be one of {sorted(COLOURS)}')
    if len(found.get("short_description", "")) > 60:
        errors.append('"short_description" length must be at most 60 characters')
    if "sdk_version" in found and not isinstance(found["sdk_version"], str):
        errors.append('"sdk_version" must be a string')
    return errors


def _dataset(found: dict) -> list[str]:
    errors = [
        f'"size_categories" must be one of {sorted(SIZES)}, not {size!r}'
        for size in found.get("size_categories") or []
        if size not in SIZES
    ]
    configs = found.get("configs")
    for config in configs if isinstance(configs, list) else []:
        if not isinstance(config, dict) or "config_name" not in config:
            errors.append('"configs" must each have a "config_name"')
    return errors


def _model(found: dict) -> list[str]:
    errors = []
    for model in found.get("model-index") or []:
        if "name" not in model or not isinstance(model.get("results"), list):
            errors.append('"model-index" must have names and results')
            continue
        for result in model["results"]:
            if not (result.get("task") or {}).get("type"):
                errors.append('"model-index[].results[].task.type" is required')
            dataset = result.get("dataset") or {}
            if not (dataset.get("type") and dataset.get("name")):
                errors.append('"model-index[].results[].dataset" needs type and name')
            for metric in result.get("metrics") or [{}]:
                if not metric.get("type") or metric.get("value") is None:
                    errors.append('"model-index[].results[].metrics[]" need type and value')
    return errors
