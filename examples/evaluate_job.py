# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["blindspots-hub"]
# ///
"""Evaluate a model on a machine that vanishes afterwards, and publish the result.

`hf jobs uv run --flavor a10g-large --secrets HF_TOKEN examples/evaluate_job.py sd15 --pairs 1000
--push NAME/sd15@1.0.0`. Arguments are those of `python -m blindspots_hub evaluate`; `--out` may be
left out. Nothing is lost with the machine but what was under way: the bundle is on the Hub.
"""

import sys
import tempfile

from blindspots_hub.cli import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--push" not in arguments:
        sys.exit("evaluate_job: name --push NAMESPACE/NAME@VERSION, or nothing of it stays.")
    if "--out" not in arguments:
        arguments += ["--out", tempfile.mkdtemp(prefix="evaluation-")]
    main(["evaluate", *arguments])
