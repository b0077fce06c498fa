"""Dialogues turn by turn: the worst, one in the middle, the best, and those that were asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ercframe.errors import InputError, nearest
from ercframe.report.figures.shares import share_strip
from ercframe.report.material import RunMaterial
from ercframe.report.measures import chosen_seed, modality_weights
from ercframe.report.page import Conversation, Figure, Section, Turn
from ercframe.report.table import percent
from ercframe.scored_turns import ScoredTurns
from ercframe.wording import counted

# Shape letters: N scored turns, S seeds, M modalities, B dialogues.

FEWEST_TURNS = 5
"""Dialogues with fewer scored turns are shown only where none has more."""
MOST_TURNS = 150
"""Of longer dialogues the first turns are shown."""
WORST = 3


def dialogues(run: RunMaterial, test: ScoredTurns, asked: Sequence[str] = ()) -> Section:
    """Transcripts with labels, predictions and, where there are any, modality weights.

    Args:
        run: whose they are.
        test: what its seeds predict.
        asked: ids of dialogues to show instead of those that are chosen.

    Raises:
        InputError: there is no such dialogue in test.
    """
    seed, why = chosen_seed(run)
    chosen = _asked(test, asked) if asked else _chosen(test)
    weights = modality_weights(run)
    s = run.concluded.index(seed)
    notes = [f"Predictions and weights are of seed {seed.seed}, {why}; how many seeds are right is told for each turn."]
    if not asked:
        notes.append(
            "Worst and best: by the share of turns that are right, mean over the seeds, of the dialogues with at least "
            f"{FEWEST_TURNS} scored turns. Turns without a label are not shown."
        )
    shown = [
        _conversation(run, test, s, b, what, None if weights is None else weights[s], i == 0)
        for i, (b, what) in enumerate(chosen)
    ]
    return Section("dialogues", "Dialogues", notes, conversations=shown)


def _asked(test: ScoredTurns, asked: Sequence[str]) -> list[tuple[int, str]]:
    known = list(test.dialogues)
    unknown = [f"'{name}'{nearest(name, known)}" for name in asked if name not in known]
    if unknown:
        raise InputError(f"--dialogue must name test dialogues of the run (got {', '.join(unknown)})")
    return [(known.index(name), "as asked") for name in dict.fromkeys(asked)]


def _chosen(test: ScoredTurns) -> list[tuple[int, str]]:
    """Number of each dialogue to show, and why it is shown."""
    sizes_B = np.bincount(test.dialogue)
    right_B = np.bincount(test.dialogue, test.right.mean(axis=0)) / sizes_B
    long_enough = np.flatnonzero(sizes_B >= FEWEST_TURNS)
    among = long_enough if len(long_enough) else np.arange(len(sizes_B))
    ordered = sorted(among.tolist(), key=lambda b: (right_B[b], -sizes_B[b], b))
    named = [(b, f"{i} of the worst") for i, b in enumerate(ordered[:WORST], 1)]
    rest = ordered[WORST:]
    if len(rest) > 1:
        named.append((rest[len(rest) // 2] if len(rest) > 2 else rest[0], "in the middle"))
    if rest:
        named.append((rest[-1], "the best"))
    return named


def _conversation(
    run: RunMaterial,
    test: ScoredTurns,
    s: int,
    b: int,
    what: str,
    weights_NM: NDArray[np.float64] | None,
    opened: bool,
) -> Conversation:
    rows_of = run.concluded[s].test
    numbers = np.flatnonzero(test.dialogue == b)
    right_N = test.right.sum(axis=0)
    share = test.right[:, numbers].mean()
    turns = []
    for n in numbers[:MOST_TURNS].tolist():
        row, seeds = rows_of[n], len(run.concluded)
        mixed = [] if weights_NM is None else list(zip(run.modalities, weights_NM[n].tolist(), strict=True))
        turns.append(
            Turn(
                speaker=str(row.get("speaker", "")),
                text=str(row.get("text", "")),
                label=row["label"],
                prediction=row["prediction"],
                right="" if seeds == 1 else f"{right_N[n]} of {seeds} seeds right",
                is_right=bool(test.right[s, n]),
                shares=[(name, x, f"{100 * x:.0f}") for name, x in mixed],
            )
        )
    told = f"{what}: {percent(float(share))} % of {counted(len(numbers), 'scored turn')} right"
    if len(numbers) > MOST_TURNS:
        told += f"; the first {MOST_TURNS} are shown"
    name = test.dialogues[b]
    strip = None if weights_NM is None else _strip(run.modalities, name, b, weights_NM[numbers[:MOST_TURNS]], turns)
    return Conversation(name, told, turns, strip, opened)


def _strip(
    modalities: Sequence[str], name: str, b: int, weights_NM: NDArray[np.float64], turns: Sequence[Turn]
) -> Figure:
    told = f"How much each modality weighs in each of {len(turns)} turns of dialogue {name}."
    wrong = [not turn.is_right for turn in turns]
    title = f"Modality weights over {name}, in percent"
    return share_strip(f"weights-dialogue-{b}", title, told, modalities, weights_NM.tolist(), wrong)
