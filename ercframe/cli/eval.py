"""Command: eval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ercframe.cli.options import PluginFiles, RunFolderArgument, TrustPlugins


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("eval")(evaluate)


def evaluate(
    run: RunFolderArgument,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="MODALITY", help="A modality to hide; repeatable.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="One of the run's seeds; all of them if left out.")
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="SPLIT", help="dev or test.")] = "test",
    robustness: Annotated[
        bool,
        typer.Option("--robustness", help="Score every set of modalities, and go through shares hidden and noise."),
    ] = False,
    context: Annotated[
        bool,
        typer.Option("--context", help="Score every utterance with a few of the turns around it, to see what they do."),
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="cpu, cuda, cuda:1; as in the recipe if left out.")
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result here, too.")] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw what --context and --robustness find.")
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option("--markdown", metavar="FILE", help="Write what --context and --robustness find as tables."),
    ] = None,
    trust_plugins: TrustPlugins = False,
    plugin: PluginFiles = None,
) -> None:
    """Score again what a run trained: slices, confusions, calibration, and what less to see does to it.

    Writes RUN/evaluation.json, in place of the one before.
    """
    from ercframe.cli.working import working
    from ercframe.errors import InputError
    from ercframe.evaluation import Evaluation
    from ercframe.loading import TrainedRun
    from ercframe.training.device import choose_device

    if (svg or markdown) and not (context or robustness):
        asked = "--svg draws" if svg else "--markdown tells"
        raise InputError(f"{asked} what --context or --robustness finds: add one of them, or both")
    trained = TrainedRun.open(run, trust_plugins=trust_plugins, plugin_files=plugin or [])
    wanted = Evaluation.of(trained, split=split, seed=seed, drop=drop or [], robustness=robustness, context=context)
    named = trained.loaded.recipe.trainer.device
    where = choose_device(named) if device is None else choose_device(device, "--device")
    with working() as on_step:
        found = wanted.run(where, on_step)
    _tell(found, run / "evaluation.json", json, svg, markdown)


def _tell(found: dict[str, Any], path: Path, json: Path | None, svg: Path | None, markdown: Path | None) -> None:
    """Write what was found wherever it was asked for, and show it."""
    from rich.console import Console

    from ercframe.files import write_json, write_text
    from ercframe.report.evaluation_markdown import evaluation_markdown
    from ercframe.report.evaluation_table import evaluation_table

    for file in (path, *([json] if json else [])):
        write_json(file, found)
    if svg:
        from ercframe.report.evaluation_plot import draw_evaluation

        draw_evaluation(found, svg)
    if markdown:
        write_text(markdown, evaluation_markdown(found))
    console = Console()
    console.print(evaluation_table(found))
    console.print(f"written to {path}", markup=False, highlight=False, soft_wrap=True)
