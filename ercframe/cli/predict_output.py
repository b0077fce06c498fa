"""What ``ercframe predict`` prints: facts about the model, tables, and answers one by one."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ercframe.data.turn import Turn, parse_turn
from ercframe.errors import InputError
from ercframe.prediction.live import LivePredictor
from ercframe.prediction.predictor import Member, Predictor
from ercframe.prediction.results import Prediction
from ercframe.wording import counted, harmless

STDIN = "standard input"
_SHOWN = 5


def print_facts(predictor: Predictor) -> None:
    """Which weights predict and how sure to be of the probabilities; on standard error."""
    print("\n".join(facts(predictor)), file=sys.stderr)


def facts(predictor: Predictor) -> Iterator[str]:
    """The lines that :func:`print_facts` prints."""
    run, recipe = predictor.run, predictor.run.loaded.recipe
    yield f"{recipe.name}, {run.summary['selection']}: {_weights(predictor.members)}; on {predictor.device}"
    if run.summary["status"] != "finished":
        yield f"warning: the run is not finished ({run.summary['status']})"
    if predictor.info.generated:
        yield "warning: the model was trained on generated conversations"
    if predictor.temperature is None:
        yield "Probabilities are not calibrated: the run has no dev."
    else:
        for_all = " for the mean" if len(predictor.members) > 1 else ""
        yield f"Probabilities are calibrated: temperature {predictor.temperature:.2f}, fitted on dev{for_all}."
    dropped = [name for name, source in predictor.sources.items() if source.extractor is None]
    if dropped:
        yield f"Without {', '.join(dropped)}: the model was trained with it, so results may suffer."


def _weights(members: Sequence[Member]) -> str:
    if len(members) == 1:
        (one,) = members
        return f"seed {one.seed.seed} ({one.seed.why}), epoch {one.epoch}"
    seeds, epochs = (", ".join(map(str, x)) for x in zip(*((m.seed.seed, m.epoch) for m in members), strict=True))
    return f"the mean of {len(members)} seeds, {seeds}, epochs {epochs}"


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON, one value a line."""
    for row in rows:
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")


def print_tables(predictor: Predictor, found: Sequence[Sequence[Prediction]]) -> None:
    """A table for each conversation, and below it what its turns lack."""
    console = Console(highlight=False)
    for predictions in found:
        console.print(_table(predictor, predictions))
        for line in _lacks(predictions):
            console.print(harmless(line), markup=False, soft_wrap=True)


def _table(predictor: Predictor, predictions: Sequence[Prediction]) -> Table:
    weighted = [name for name in predictor.info.modalities if name in predictions[0].modality_weights]
    table = Table(
        title=Text(harmless(predictions[0].dialogue)),
        caption="In percent, with the second most probable emotion"
        + (" and the weights of modalities." * bool(weighted)),
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0, 0, 1),
    )
    table.add_column("speaker", max_width=10, overflow="ellipsis", no_wrap=True)
    table.add_column("text", max_width=60, overflow="fold")
    for name in ("emotion", "second"):
        table.add_column(name, no_wrap=True)
        table.add_column("%", justify="right", no_wrap=True)
    for name in weighted:
        table.add_column(name, justify="right", no_wrap=True)
    for prediction in predictions:
        table.add_row(*(Text(harmless(cell)) for cell in _cells(prediction, weighted)))
    return table


def _cells(prediction: Prediction, weighted: Sequence[str]) -> Iterator[str]:
    (first, p), (second, q) = sorted(prediction.probabilities.items(), key=lambda pair: -pair[1])[:2]
    yield from (prediction.speaker, prediction.text, first, f"{100 * p:.0f}", second, f"{100 * q:.0f}")
    yield from (f"{100 * prediction.modality_weights[name]:.0f}" for name in weighted)


def _lacks(predictions: Sequence[Prediction]) -> Iterator[str]:
    """A line for each reason for which turns lack a modality."""
    turns: dict[tuple[str, str], list[str]] = {}
    for prediction in predictions:
        for lack in prediction.missing.items():
            turns.setdefault(lack, []).append(prediction.utterance)
    for (modality, why), lacking in turns.items():
        which = ", ".join(lacking[:_SHOWN]) + (f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else "")
        everywhere = len(lacking) == len(predictions)
        yield f"{modality} missing ({why}): {'every turn' if everywhere else which}"


def answer_stream(predictor: Predictor, media: Path) -> None:
    """Answer every turn that comes on standard input as soon as it is read.

    Raises:
        InputError: the model waits for later turns, or a line is no turn; lines before it were answered.
    """
    live = LivePredictor(predictor, media)
    print_facts(predictor)
    seconds = list[float]()
    try:
        for turn in _turns():
            began = time.perf_counter()
            row = live.answer(turn).row()
            seconds.append(time.perf_counter() - began)
            sys.stdout.write(json.dumps({**row, "seconds": round(seconds[-1], 4)}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    finally:
        if seconds:
            told = f"median {1000 * statistics.median(seconds):.0f} ms, slowest {1000 * max(seconds):.0f} ms"
            print(f"{counted(len(seconds), 'turn')} answered: {told}", file=sys.stderr)


def _turns() -> Iterator[Turn]:
    for number, raw in enumerate(sys.stdin.buffer, 1):
        where = f"{STDIN}:{number}"
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where} must be UTF-8 (got byte 0x{raw[error.start]:02x})") from None
        if line.strip():
            yield parse_turn(line, where)
