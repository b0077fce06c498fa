"""Running a trained learner over dialogues: scores, and everything worth keeping about each utterance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ercframe.data.dialogue import Dialogue, collate
from ercframe.errors import RunError
from ercframe.metrics import Scores
from ercframe.model import Learner
from ercframe.nn.precision import at_least_float32
from ercframe.ranks import ALONE, Ranks
from ercframe.tensors import Batch, ModelOutput

# Shape letters: N utterances, S scored utterances, R represented ones, C emotions, M modalities, D features.


def batches(dialogues: Sequence[Dialogue], size: int) -> Iterator[Batch]:
    """Batches of ``size`` dialogues in order, on the host."""
    for start in range(0, len(dialogues), size):
        yield collate([dialogues[i] for i in range(start, min(start + size, len(dialogues)))])


def score(
    learner: Learner,
    dialogues: Sequence[Dialogue],
    size: int,
    device: torch.device,
    classes: int,
    ranks: Ranks = ALONE,
) -> Scores:
    """Score the model's predictions for the scored utterances of ``dialogues``.

    Ranks take whole batches, each some of those of one process, so that the predictions are the same.

    Raises:
        RunError: the model puts out NaN, which would count as a prediction of some class.
    """
    mine = ranks.share(-(-len(dialogues) // size))
    share = dialogues[mine.start * size : mine.stop * size]
    predicted_S = labels_S = torch.zeros(0, dtype=torch.long)
    failed = ""
    try:
        if share:
            logits_SC, labels_S = scored_logits(learner, batches(share, size), device)
            predicted_S, labels_S = logits_SC.argmax(dim=-1).cpu(), labels_S.cpu()
    except RunError as error:
        failed = str(error)  # to be raised by all ranks
    predicted, labels, failures = zip(*ranks.gather((predicted_S, labels_S, failed)), strict=True)
    if any(failures):
        raise RunError(max(failures))
    return Scores.of(torch.cat(predicted), torch.cat(labels), classes)


@torch.inference_mode()
def scored_logits(learner: Learner, host_batches: Iterable[Batch], device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits ``(S, C)`` and labels ``(S,)`` of the scored utterances of all batches.

    They stay on the device, which nobody waits for until all batches are through.

    Raises:
        RunError: the model puts out NaN, which would count as a prediction of some class.
    """
    logits, labels = [], []
    for batch, output in _outputs(learner, host_batches, device):
        logits.append(output.decision.logits.index_select(0, batch.scored))
        labels.append(batch.labels.index_select(0, batch.scored))
    logits_SC = torch.cat(logits)
    if bool(logits_SC.isnan().any()):
        raise RunError("the model's logits must be numbers (got NaN). A lower trainer.optimizer.lr often helps.")
    return logits_SC, torch.cat(labels)


@dataclass(frozen=True)
class Record:
    """What a model computed for every utterance of some dialogues, on the host, scored or not.

    Attributes:
        probabilities: ``(N, C)``.
        weights: the fusion's and the classifier's weights, ``(N, M)`` for ``"modality"``.
        heads: probabilities of the losses' auxiliary heads, ``(N, C)`` each.
        representations: ``"joint"`` and ``"modality.NAME"``, ``(R, D)`` each: of the first R utterances, which are
            all of them up to :data:`REPRESENTED`.
    """

    probabilities: Tensor
    weights: Mapping[str, Tensor]
    heads: Mapping[str, Tensor]
    representations: Mapping[str, Tensor]


REPRESENTED = 10_000
"""Utterances whose representations are kept; once there are as many, those of further batches are not."""


@torch.inference_mode()
def record(learner: Learner, dialogues: Sequence[Dialogue], size: int, device: torch.device) -> Record:
    """Run the model over ``dialogues`` and keep what reports are made of."""
    kept: dict[str, dict[str, list[Tensor]]] = {"probabilities": {}, "weights": {}, "heads": {}, "representations": {}}
    represented = 0
    for _, output in _outputs(learner, batches(dialogues, size), device):
        heads = learner.objective.predictions(output)
        by_modality = {f"modality.{name}": x for name, x in output.fused.by_modality.items()}
        parts: dict[str, Mapping[str, Tensor]] = {
            "probabilities": {"": at_least_float32(output.decision.logits).softmax(dim=-1)},
            "weights": {**output.fused.weights, **output.decision.weights},
            "heads": {name: at_least_float32(logits).softmax(dim=-1) for name, logits in heads.items()},
            "representations": {"joint": output.fused.joint, **by_modality} if represented < REPRESENTED else {},
        }
        represented += len(output.fused.joint)
        for part, tensors in parts.items():
            for name, x in tensors.items():
                kept[part].setdefault(name, []).append(x.float().cpu())
    joined = {part: {name: torch.cat(xs) for name, xs in tensors.items()} for part, tensors in kept.items()}
    return Record(joined["probabilities"][""], joined["weights"], joined["heads"], joined["representations"])


def rows(found: Record, dialogues: Sequence[Dialogue], split: str, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One row for each scored utterance, as ``predictions.jsonl`` keeps it."""
    probabilities = found.probabilities.tolist()
    weights, heads = ({k: x.tolist() for k, x in part.items()} for part in (found.weights, found.heads))
    n = -1
    for dialogue in dialogues:
        for utterance, label in zip(dialogue.utterances, dialogue.labels.tolist(), strict=True):
            n += 1
            if label < 0:
                continue
            p = probabilities[n]
            yield {
                "split": split,
                "dialogue": dialogue.id,
                "utterance": utterance.id,
                "speaker": utterance.speaker,
                **({"text": utterance.text} if utterance.text else {}),
                "label": labels[label],
                "prediction": labels[_largest(p)],
                "probabilities": {name: round(value, 6) for name, value in zip(labels, p, strict=True)},
                **({"weights": {name: w[n] for name, w in weights.items()}} if weights else {}),
                **({"heads": {name: labels[_largest(h[n])] for name, h in heads.items()}} if heads else {}),
            }


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _outputs(
    learner: Learner, host_batches: Iterable[Batch], device: torch.device
) -> Iterator[tuple[Batch, ModelOutput]]:
    """Batch by batch; whoever asks switches to inference mode, which must not stay on in a generator left half-way."""
    learner.eval()
    for host_batch in host_batches:
        batch = host_batch.to(device, non_blocking=True)
        yield batch, learner.model(batch.features, batch.context)
