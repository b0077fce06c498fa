"""Small losses, each with one fault; ``breaks`` names the checks that must find it, and no others."""

from typing import ClassVar

import torch
from broken_parts import Documented
from torch import nn

from ercframe import Loss, Term
from ercframe.nn import at_least_float32

# Shape letters: S scored utterances, C emotions.


class SoundLoss(Documented, Loss):
    name = "sound"
    terms = ("nll",)
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config, dataset, model):
        super().__init__()

    def forward(self, output, batch):
        logits_SC, labels_S = at_least_float32(output.decision.logits)[batch.scored], batch.labels[batch.scored]
        total = nn.functional.cross_entropy(logits_SC, labels_S, reduction="sum")
        return {"nll": Term(total, logits_SC.new_full((), len(labels_S)))}


class NamesAnotherTerm(SoundLoss):
    breaks = {"terms_are_as_declared"}

    def forward(self, output, batch):
        return {"nllish": super().forward(output, batch)["nll"]}


class ForgetsATerm(SoundLoss):
    breaks = {"terms_are_as_declared"}
    terms = ("nll", "soft")


class ReturnsRows(SoundLoss):
    breaks = {"terms_are_as_declared", "order_of_dialogues_is_free", "nothing_scored_is_an_attached_zero"}
    couples_rows = True

    def forward(self, output, batch):
        logits_SC, labels_S = at_least_float32(output.decision.logits)[batch.scored], batch.labels[batch.scored]
        total_S = nn.functional.cross_entropy(logits_SC, labels_S, reduction="none")
        return {"nll": Term(total_S, logits_SC.new_full((), len(labels_S)))}


class HasACountWithGradient(SoundLoss):
    breaks = {"terms_are_as_declared"}

    def forward(self, output, batch):
        term = super().forward(output, batch)["nll"]
        return {"nll": Term(term.total, term.count + 0 * term.total)}


class ShowsHeadsOfScoredRows(SoundLoss):
    breaks = {"terms_are_as_declared"}

    def predictions(self, output):
        return {"text": output.decision.logits[:3]}


class TakesTheMean(SoundLoss):
    breaks = {"batches_add_up"}

    def forward(self, output, batch):
        term = super().forward(output, batch)["nll"]
        return {"nll": Term(term.total / term.count.clamp_min(1), term.count.clamp_max(1))}

    def counts(self, batch):
        return {"nll": torch.tensor(float(len(batch.scored) > 0))}


class KeepsItsClassWeightsSecret(SoundLoss):
    breaks = {"counts_are_known_before"}

    def forward(self, output, batch):
        term = super().forward(output, batch)["nll"]
        return {"nll": Term(term.total, (1.0 + batch.labels[batch.scored]).sum())}


class DetachesItsZero(SoundLoss):
    breaks = {"nothing_scored_is_an_attached_zero"}

    def forward(self, output, batch):
        zero = output.decision.logits.new_zeros(())
        return super().forward(output, batch) if len(batch.scored) else {"nll": Term(zero, zero)}


class DividesByNothing(SoundLoss):
    breaks = {"nothing_scored_is_an_attached_zero"}
    couples_rows = True

    def forward(self, output, batch):
        term = super().forward(output, batch)["nll"]
        return {"nll": Term(term.total / term.count, term.count.clamp_max(1))}


class TakesMinusOneForAnEmotion(SoundLoss):
    """An index of -1 is the last emotion."""

    breaks = {"only_scored_rows_count", "nothing_scored_is_an_attached_zero"}

    def forward(self, output, batch):
        row_N = torch.arange(len(batch.labels), device=batch.labels.device)
        log_p_N = at_least_float32(output.decision.logits).log_softmax(-1)[row_N, batch.labels]
        return {"nll": Term(-log_p_N.sum(), log_p_N.new_full((), len(log_p_N)))}

    def counts(self, batch):
        return {"nll": torch.tensor(float(len(batch.labels)))}


class ComparesWithOtherEmotions(SoundLoss):
    """Divides by how many have another emotion, which may be nobody."""

    breaks = {"one_emotion_is_enough", "single_utterance_is_enough"}
    couples_rows = True

    def forward(self, output, batch):
        term, labels_S = super().forward(output, batch)["nll"], batch.labels[batch.scored]
        others = (labels_S[:, None] != labels_S).sum().to(term.total) if len(labels_S) else torch.ones_like(term.total)
        return {"nll": Term(term.total / others, term.count)}


class WeighsByPlaceInTheBatch(SoundLoss):
    breaks = {"order_of_dialogues_is_free", "batches_add_up"}

    def forward(self, output, batch):
        logits_SC, labels_S = at_least_float32(output.decision.logits)[batch.scored], batch.labels[batch.scored]
        place_S = 1.0 + batch.context.layout.dialogue[batch.scored]
        total = (place_S * nn.functional.cross_entropy(logits_SC, labels_S, reduction="none")).sum()
        return {"nll": Term(total, logits_SC.new_full((), len(labels_S)))}


class SumsInHalfPrecision(SoundLoss):
    breaks = {"totals_are_exact"}

    def forward(self, output, batch):
        term = super().forward(output, batch)["nll"]
        return {"nll": Term(term.total.to(output.decision.logits), term.count)}
