"""Command: score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ercframe.cli.options import JsonFile


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("score")(score)


def score(
    predictions: Annotated[
        Path, typer.Argument(metavar="PREDICTIONS", help="A file with a JSON object for each utterance, one a line.")
    ],
    bundle: Annotated[Path, typer.Option("--bundle", metavar="BUNDLE", help="Folder of the bundle with the labels.")],
    split: Annotated[str, typer.Option("--split", metavar="SPLIT", help="train, dev or test.")] = "test",
    labels: Annotated[
        str | None,
        typer.Option(metavar="MAP", help="Label map, where predictions are of other emotions than the bundle's."),
    ] = None,
    json: JsonFile = None,
) -> None:
    """Score anybody's predictions: our metrics, each class, slices, and intervals over dialogues."""
    from rich.console import Console

    from ercframe.data.reader import Bundle
    from ercframe.files import write_json
    from ercframe.recipes.label_maps import read_label_map
    from ercframe.report.score_table import score_table
    from ercframe.scoring import score_predictions

    label_map = read_label_map(labels) if labels is not None else None
    found = score_predictions(predictions, Bundle(bundle), split, label_map)
    if json:
        write_json(json, found)
    Console().print(score_table(found))
