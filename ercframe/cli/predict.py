"""Command: predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ercframe.cli.options import PluginFiles, RunFolderArgument, SeedOfWeights, TrustPlugins
from ercframe.errors import InputError

if TYPE_CHECKING:
    from ercframe.prediction.predictor import Predictor

STANDARD_OUTPUT = Path("-")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("predict")(predict)


def predict(
    run: RunFolderArgument,
    conversation: Annotated[
        Path | None, typer.Argument(metavar="CONVERSATION", help="JSON, one turn a line; left out with --stream.")
    ] = None,
    media: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where paths of recordings start; that of CONVERSATION.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write JSON, one turn a line; - prints it instead of the table.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Read turns from standard input and answer each at once, in JSON.")
    ] = False,
    seed: SeedOfWeights = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Take all seeds, and the mean of their probabilities.")
    ] = False,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="MODALITY", help="Do without a modality; repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="MODALITY.SETTING=VALUE", help="Of its extractor, such as where its model is; repeatable."
        ),
    ] = None,
    plugin: PluginFiles = None,
    trust_plugins: TrustPlugins = False,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1.")] = "auto",
) -> int:
    """Name the emotions of a conversation of your own with a trained run.

    Exit 0 when done, 1 when an extractor failed, 2 for bad input, 130 after Ctrl-C.
    """
    if stream == (conversation is not None):
        raise InputError("predict needs a file of turns, or --stream to read them from standard input; and not both")
    if stream and out:
        raise InputError("--stream writes to standard output, one answer a line; --out has no use there")
    if out and out != STANDARD_OUTPUT and out.is_dir():
        raise InputError(f"--out must be a file, or - to print (got the folder {out})")
    from ercframe.cli import predict_output as output
    from ercframe.data.conversations import read_conversations
    from ercframe.prediction.opening import load_predictor

    conversations = read_conversations(conversation) if conversation else ()
    predictor = load_predictor(
        run,
        seed=seed,
        ensemble=ensemble,
        drop=drop or (),
        settings=_settings(settings or []),
        plugins=plugin or (),
        trust_plugins=trust_plugins,
        device=device,
    )
    if conversation is None:
        output.answer_stream(predictor, media or Path())
        return 0
    _whole(predictor, conversation, conversations, media, out)
    return 0


def _whole(predictor: Predictor, path: Path, conversations: Any, media: Path | None, out: Path | None) -> None:
    """Predict what a file holds, all of it before anything is written."""
    from ercframe.cli import predict_output as output
    from ercframe.files import write_json_lines
    from ercframe.prediction.features import require_media

    folder = media or path.parent
    require_media(conversations, folder, predictor.sources, path.name)
    output.print_facts(predictor)
    found = [predictor.predict(conversation, folder) for conversation in conversations]
    rows = [prediction.row() for predictions in found for prediction in predictions]
    if out == STANDARD_OUTPUT:
        output.print_rows(rows)
        return
    if out:
        try:
            write_json_lines(out, rows)
        except (NotADirectoryError, PermissionError, FileExistsError) as error:
            raise InputError(f"--out: {out} cannot be written: {error.strerror}") from None
    output.print_tables(predictor, found)


def _settings(given: list[str]) -> dict[str, dict[str, Any]]:
    """``MODALITY.SETTING=VALUE`` as settings by modality."""
    from ercframe.recipes.overrides import parse_overrides
    from ercframe.recipes.sources import COMMAND_LINE, Finding, SourceMap

    tree, findings = parse_overrides(given, "text.model=models/minilm")
    plain = {name: node.plain() for name, node in tree.children.items()}
    findings += [
        Finding(COMMAND_LINE, name, "must be MODALITY.SETTING=VALUE, such as text.model=models/minilm")
        for name, value in plain.items()
        if not isinstance(value, dict)
    ]
    if findings:
        raise SourceMap("--set").error(findings)
    return plain
