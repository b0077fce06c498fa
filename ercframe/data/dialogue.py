"""One dialogue as a dataset hands it out, and batches made of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ercframe.layout import Layout
from ercframe.tensors import Batch, Context

# Shape letters: L utterances of one dialogue, N utterances in the batch, D features, K values of a target.


@dataclass(frozen=True)
class Utterance:
    """What people read of an utterance; empty or None where the corpus does not say."""

    id: str
    speaker: str = ""
    text: str = ""
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True)
class Dialogue:
    """An ordered list of utterances as tensors on the host.

    Attributes:
        id: unique in its dataset.
        features: for each modality, ``(L, D)`` float32, standardised; zeros where not available.
        available: for each modality, ``(L,)`` bool.
        speaker: ids, ``(L,)``, as in :class:`~ercframe.tensors.Context`.
        labels: ``(L,)``; -1 where the utterance is context only.
        utterances: L records for people; a lazy sequence where the corpus is large.
        targets: further targets, ``(L, K)``; NaN where unknown.
        group: what should not be divided between splits, such as a recording session; empty where there is none.
    """

    id: str
    features: Mapping[str, Tensor]
    available: Mapping[str, Tensor]
    speaker: Tensor
    labels: Tensor
    utterances: Sequence[Utterance]
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    group: str = ""

    def __len__(self) -> int:
        return len(self.labels)


def collate(dialogues: Sequence[Dialogue]) -> Batch:
    """Pack dialogues one after the other into a batch on the host.

    All dialogues must have the same modalities and targets.

    Raises:
        ValueError: there is no dialogue.
    """
    first = dialogues[0] if dialogues else None
    layout = Layout.from_lengths([len(d) for d in dialogues])
    assert first is not None  # Layout refused the empty case
    labels_N = torch.cat([d.labels for d in dialogues])
    context = Context(
        layout=layout,
        speaker=torch.cat([d.speaker for d in dialogues]),
        available={m: torch.cat([d.available[m] for d in dialogues]) for m in first.features},
    )
    return Batch(
        features={m: torch.cat([d.features[m] for d in dialogues]) for m in first.features},
        context=context,
        labels=labels_N,
        scored=torch.nonzero(labels_N >= 0).squeeze(-1),
        targets={t: torch.cat([d.targets[t] for d in dialogues]) for t in first.targets},
        dialogues=tuple(d.id for d in dialogues),
    )
