"""Command: export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ercframe.cli.options import PluginFiles, RunFolderArgument, SeedOfWeights, TrustPlugins
from ercframe.wording import counted

if TYPE_CHECKING:
    from ercframe.export.folder import Exported


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("export")(export)


def export(
    run: RunFolderArgument,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write it; RUN/export if left out.")
    ] = None,
    seed: SeedOfWeights = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX file, too; needs the extra 'export'.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    trust_plugins: TrustPlugins = False,
    plugin: PluginFiles = None,
) -> None:
    """Write a trained model as a folder of its own, with a model card, that `predict` and the Hugging Face Hub take.

    A program is kept only if it computes what the model does on the run's data; the card says if, and how closely.
    """
    from ercframe.cli.working import working
    from ercframe.export.folder import export_run
    from ercframe.loading import TrainedRun

    trained = TrainedRun.open(run, trust_plugins=trust_plugins, plugin_files=plugin or [])
    with working() as on_step:
        found = export_run(trained, out or run / "export", seed=seed, onnx=onnx, force=force, on_step=on_step)
    typer.echo("\n".join(_told(found)))


def _told(found: Exported) -> Iterator[str]:
    """What was written, and what somebody should know before passing it on."""
    export = found.export
    yield f"seed {export.seed} ({export.why}), epoch {export.epoch}"
    for kind, program in export.programs.items():
        name = "program of PyTorch" if kind == "torch" else "ONNX file"
        if program.agreement:
            gap, tried = program.agreement.difference, counted(program.agreement.dialogues, "dialogue")
            yield f"{program.file}: logits differ from the model's by at most {gap:.1e}, over {tried}"
        else:
            yield f"no {name}: {program.why_not}"
    if found.local_paths:
        yield f"its files name folders of this machine: {', '.join(found.local_paths)}"
    yield f"written to {found.path}"
