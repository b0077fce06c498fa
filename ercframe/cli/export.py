"""Command: export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ercframe.export.folder import Exported


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("export")(export)


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to write it; RUN/export if left out.")
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Which seed's weights; the best on dev.")] = None,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write an ONNX file, too; needs the extra 'export'.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an export that is there.")] = False,
    trust_plugins: Annotated[
        bool, typer.Option("--trust-plugins", help="Run the code of plugin files in the run folder.")
    ] = False,
    plugin: Annotated[
        list[Path] | None, typer.Option("--plugin", metavar="FILE", help="Load a plugin from a file; repeatable.")
    ] = None,
) -> None:
    """Write a trained model as a folder of its own, with a model card, that `predict` and the Hugging Face Hub take.

    A program is kept only if it computes what the model does on the run's data; the card says if, and how closely.
    """
    from ercframe.cli.data import working
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
            gap, dialogues = program.agreement.difference, program.agreement.dialogues
            yield f"{program.file}: logits differ from the model's by at most {gap:.1e}, over {dialogues} dialogues"
        else:
            yield f"no {name}: {program.why_not}"
    if found.local_paths:
        yield f"its files name folders of this machine: {', '.join(found.local_paths)}"
    yield f"written to {found.path}"
