"""The command line: `python -m blindspots_hub …`, thin over the library's functions."""

from __future__ import annotations

import os
import sys

import typer

from blindspots_hub.commands import (
    benchmarks,
    certainty,
    combining,
    findings,
    generating,
    hub,
    measuring,
    naming,
    new_bundle,
    planted,
    published,
    quality,
    sae,
    sampling,
    space,
    stress,
)
from blindspots_hub.errors import BlindspotsError
from blindspots_hub.utils.files import told_by_the_system
from blindspots_hub.utils.terminal import show_anything, without_controls

STOPPED = "Stopped. Run the same command again; what was finished is kept."
"""After a Ctrl-C before any work had begun, or after it had ended."""

app = typer.Typer(
    help="Find out what a text-to-image model cannot draw, and what it draws too much.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(new_bundle.new_bundle)
app.command()(generating.generate)
app.command()(generating.evaluate)
app.command()(measuring.measure)
app.command()(measuring.validate)
app.command("sample-laion")(sampling.sample_laion)
app.command("link-rot")(sampling.link_rot)
app.command()(combining.combine)
app.command()(naming.label)
app.command()(naming.labels)
app.command()(findings.analyse)
app.command()(findings.compare)
app.command()(findings.report)
app.command()(stress.stress)
app.command("score-captions")(findings.score_captions)
app.command()(certainty.plan)
app.command()(certainty.stability)
app.command()(certainty.confounds)
app.command()(certainty.parity)
app.command()(certainty.remeasure)
app.command()(hub.push)
app.command()(hub.pull)
app.command()(hub.versions)
app.command("deploy-space")(space.deploy_space)
app.command("train-sae")(sae.train_sae)
app.command("evaluate-sae")(quality.evaluate_sae)
app.command("fit-domain")(sae.fit_domain)
app.command("token-store")(sae.token_store)
app.command("validate-tokens")(sae.validate_tokens)
app.command("import-published")(published.import_published)

benchmark = typer.Typer(help="Hold the method against known truth.", no_args_is_help=True)
benchmark.command("planted")(planted.benchmark_planted)
benchmark.command("metrics")(planted.benchmark_metrics)
benchmark.command("sae")(benchmarks.benchmark_sae)
benchmark.command("measure")(benchmarks.benchmark_measure)
benchmark.command("fetch")(benchmarks.benchmark_fetch)
benchmark.command("analyses")(benchmarks.benchmark_analyses)
benchmark.command("page")(benchmarks.benchmark_page)
benchmark.command("size")(benchmarks.benchmark_size)
app.add_typer(benchmark, name="benchmark")

build = typer.Typer(help="Make the embedded default anew.", no_args_is_help=True)
build.command("train")(planted.planted_train)
build.command("bundle")(planted.planted_bundle)
build.command("population")(planted.planted_population)
app.add_typer(build, name="planted")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; a user's mistake is one sentence and exit code 2."""
    # Read when transformers is imported: it warns of a torchvision that nothing here needs.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    show_anything(sys.stdout, sys.stderr)
    try:
        app(arguments, standalone_mode=True)
    except (BlindspotsError, OSError) as error:
        told = told_by_the_system(error) if isinstance(error, OSError) else error
        if told is None:
            raise
        print(f"blindspots_hub: {without_controls(str(told))}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as end:
        stopped = _interrupt(end)
        if stopped is None:
            raise
        print(str(stopped) or STOPPED, file=sys.stderr)
        sys.exit(130)


def _interrupt(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that ended the program, which typer may have made an exit of; None if none did."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error
