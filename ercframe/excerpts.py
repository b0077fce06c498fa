"""Dialogues cut down to what may be seen when one utterance is scored: some turns before it, some after it.

Every scored utterance becomes a small dialogue of its own, of the turns it is shown with, in which it alone is scored.
What scores dialogues scores these, too, exactly and in batches, whatever the model is made of.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from ercframe.data.dialogue import Dialogue, collate
from ercframe.tensors import Batch

# Shape letters: L utterances of the whole dialogue, V of an excerpt.


@dataclass(frozen=True)
class Visible:
    """Which turns an utterance is shown with; without arguments, all.

    Attributes:
        past: how many turns before it, at most; None for all.
        future: whether all turns after it are shown, or none.
        speakers: ``"own"`` leaves only turns of the same speaker; one who is unknown has no other turn.
        order: ``"shuffled"`` puts the turns before it in a random order, and those after it likewise.
    """

    past: int | None = None
    future: bool = True
    speakers: Literal["all", "own"] = "all"
    order: Literal["kept", "shuffled"] = "kept"

    def rows(self, dialogue: Dialogue, place: int, unknown: int, seed: int) -> tuple[Tensor, int]:
        """The turns of a dialogue that are shown with one of them.

        Args:
            dialogue: whole.
            place: of the utterance, from 0.
            unknown: the speaker id that stands for nobody.
            seed: of the random order, which depends on it, the dialogue's id and the place alone.

        Returns:
            Their places in the order in which they are shown, ``(V,)``, and the place of the utterance among them.
        """
        start = 0 if self.past is None else max(0, place - self.past)
        before, after = torch.arange(start, place), torch.arange(place + 1, len(dialogue) if self.future else place + 1)
        if self.speakers == "own":
            who = dialogue.speaker[place]
            own_L = (dialogue.speaker == who) & (who != unknown)
            before, after = before[own_L[before]], after[own_L[after]]
        if self.order == "shuffled":
            named = "\0".join(("order", str(seed), dialogue.id, str(place)))
            generator = torch.Generator().manual_seed(zlib.crc32(named.encode()))
            before, after = (part[torch.randperm(len(part), generator=generator)] for part in (before, after))
        return torch.cat([before, torch.tensor([place]), after]), len(before)


def excerpts(dialogues: Sequence[Dialogue], visible: Visible, unknown: int, seed: int = 0) -> Iterator[Dialogue]:
    """An excerpt for each scored utterance, in their order.

    Everything about a turn is as in the whole dialogue: its features, its speaker's id, whether a modality is
    available. An utterance without a label is shown as the other turns are, and counts as one.

    Args:
        dialogues: as the dataset has them.
        visible: which turns are shown.
        unknown: the speaker id that stands for nobody, ``DatasetInfo.speakers``.
        seed: of random orders.
    """
    for dialogue in dialogues:
        for place in torch.nonzero(dialogue.labels >= 0).squeeze(-1).tolist():
            rows_V, own = visible.rows(dialogue, place, unknown, seed)
            yield _excerpt(dialogue, rows_V, own)


def batches_of_excerpts(
    dialogues: Sequence[Dialogue], visible: Visible, unknown: int, turns: int, seed: int = 0
) -> Iterator[Batch]:
    """The excerpts in batches of at most ``turns`` turns, but at least one excerpt; arguments as above."""
    held: list[Dialogue] = []
    size = 0
    for excerpt in excerpts(dialogues, visible, unknown, seed):
        if held and size + len(excerpt) > turns:
            yield collate(held)
            held, size = [], 0
        held.append(excerpt)
        size += len(excerpt)
    if held:
        yield collate(held)


def _excerpt(dialogue: Dialogue, rows_V: Tensor, own: int) -> Dialogue:
    labels_V = torch.full((len(rows_V),), -1)
    labels_V[own] = dialogue.labels[rows_V[own]]
    return replace(
        dialogue,
        features={name: x[rows_V] for name, x in dialogue.features.items()},
        available={name: x[rows_V] for name, x in dialogue.available.items()},
        speaker=dialogue.speaker[rows_V],
        labels=labels_V,
        utterances=(),  # what people read; no model does
        targets={},
    )
