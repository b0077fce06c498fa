"""SDT as research code would write it: padded to the longest dialogue, every step of the computation spelt out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ercframe import ComponentConfig, DatasetInfo, Dialogue, Recipe, Yardstick, hookimpl
from ercframe.nn import class_weights

# Shape letters: B dialogues, L longest dialogue, H heads, K features of a head, M modalities, D features, C emotions.

HIDDEN = -1e10
"""Score of a key in the padding: exp(−1e10) is 0 beside any other, and nothing becomes NaN where there is no other."""

PUBLISHED = {
    "streams": "all",
    "window": None,
    "position_embedding": True,
    "speaker_embedding": True,
    "multimodal_gate": True,
    "label_smoothing": 0.0,
    "detach_teacher": False,
    "scale_by_temperature": False,
}
"""Settings that are implemented with this value only."""


class PaddedPair(nn.Module):
    """One transformer layer through which a target modality listens to a source modality."""

    def __init__(self, width: int, heads: int, dropout: float, own: bool) -> None:
        super().__init__()
        self.heads, self.own, self.dropout = heads, own, nn.Dropout(dropout)
        self.attention = nn.ModuleDict({name: nn.Linear(width, width) for name in ("query", "key", "value", "output")})
        self.feed_forward = nn.ModuleDict(
            {
                "norm": nn.LayerNorm(width, eps=1e-6),
                "widen": nn.Linear(width, width),
                "narrow": nn.Linear(width, width),
            }
        )

    def forward(self, target_BLD: Tensor, source_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        """The target after it listened to the source, ``(B, L, D)``."""
        target_BLD = self.dropout(target_BLD)
        source_BLD = target_BLD if self.own else self.dropout(source_BLD)
        x_BLD = target_BLD + self.dropout(self._attend(target_BLD, source_BLD, mask_BL))
        wide_BLD = nn.functional.gelu(self.feed_forward["widen"](self.feed_forward["norm"](x_BLD)), approximate="tanh")
        stream_BLD: Tensor = x_BLD + self.dropout(self.feed_forward["narrow"](self.dropout(wide_BLD)))
        return stream_BLD

    def _attend(self, target_BLD: Tensor, source_BLD: Tensor, mask_BL: Tensor) -> Tensor:
        query_BHLK = self._by_head(self.attention["query"](target_BLD))
        key_BHLK = self._by_head(self.attention["key"](source_BLD))
        value_BHLK = self._by_head(self.attention["value"](source_BLD))
        score_BHLL = query_BHLK @ key_BHLK.transpose(-2, -1) / math.sqrt(query_BHLK.shape[-1])
        score_BHLL = score_BHLL.masked_fill(~mask_BL[:, None, None, :], HIDDEN)
        weight_BHLL = self.dropout(torch.softmax(score_BHLL, dim=-1))
        heard_BLD: Tensor = self.attention["output"]((weight_BHLL @ value_BHLK).transpose(1, 2).flatten(2))
        return heard_BLD

    def _by_head(self, x_BLD: Tensor) -> Tensor:
        return x_BLD.view(*x_BLD.shape[:2], self.heads, -1).transpose(1, 2)


class PaddedSDT(Yardstick):
    r"""SDT in plain eager PyTorch on padded batches, with the default, unfused optimizer.

    Dialogues are padded to the longest of their batch, and every layer computes the padding as well; a mask keeps it
    out of attention and losses. Attention is two matrix products around a softmax, dropout is PyTorch's, Adam is
    ``torch.optim.Adam`` as it comes. Objective and gradients equal the packed model's, which a test checks in float64.

    Implements recipes of the encoder ``intra_inter_transformer``, the fusion ``hierarchical_gated``, the classifier
    ``linear`` and the losses ``cross_entropy`` and ``self_distillation``, with the settings that were published.

    References:
        Ma et al. (2024). The released code is of this kind; it is not copied here. Its padded rows give NaN gradients
        on current PyTorch; these do not, because the divergence is computed from log-probabilities.

    Raises:
        ValueError: the recipe is another model, or has settings beyond the published ones.
    """

    name = "padded"
    task_weight: Tensor
    hard_weight: Tensor

    def __init__(self, config: ComponentConfig, dataset: DatasetInfo, recipe: Recipe) -> None:
        super().__init__()
        if beyond := list(_beyond(recipe)):
            raise ValueError(f"yardstick 'padded' implements SDT as published (got {', '.join(beyond)})")
        encoder, self.modalities = recipe.encoder.config.model_dump(), tuple(dataset.modalities)
        width, self.learned_gates = encoder["width"], recipe.fusion.config.model_dump()["unimodal_gate"] == "learned"
        self.pairs = {m: [m, *(other for other in self.modalities if other != m)] for m in self.modalities}
        self.model = _modules(
            encoder=_modules(
                project=_modules(**{m: nn.Linear(d, width, bias=False) for m, d in dataset.modalities.items()}),
                speaker=nn.Embedding(dataset.speakers + 1, width),
                pairs=self._of_pairs(lambda own: PaddedPair(width, encoder["heads"], encoder["dropout"], own)),
            ),
            fusion=_modules(
                gates=self._of_pairs(
                    lambda own: _modules(**{"score": nn.Linear(width, width, bias=False)} if self.learned_gates else {})
                ),
                reduce=_modules(**{m: nn.Linear(len(self.pairs[m]) * width, width) for m in self.modalities}),
                choose=nn.Linear(width, width, bias=False),
            ),
            classifier=_modules(score=nn.Linear(width, len(dataset.labels))),
        )
        self._add_losses(recipe, dataset, width)

    def _of_pairs(self, make: Callable[[bool], nn.Module]) -> Any:
        return _modules(**{f"{m}_from_{n}": make(m == n) for m, sources in self.pairs.items() for n in sources})

    def _add_losses(self, recipe: Recipe, dataset: DatasetInfo, width: int) -> None:
        self.task, self.distill = ({**_slot(recipe, name)} for name in ("cross_entropy", "self_distillation"))
        dropout = nn.Dropout(self.distill["dropout"])
        students = {
            m: nn.Sequential(nn.ReLU(), dropout, nn.Linear(width, len(dataset.labels))) for m in self.modalities
        }
        self.objective = _modules(losses=_modules(**{self.distill["slot"]: _modules(students=_modules(**students))}))
        self.students = students
        for name, loss in (("task", self.task), ("hard", self.distill)):
            weight_C = class_weights(loss["class_weights"], dataset)
            weight_C = torch.ones(len(dataset.labels)) if weight_C is None else weight_C
            self.register_buffer(f"{name}_weight", weight_C, persistent=False)

    def collate(self, dialogues: Sequence[Dialogue]) -> dict[str, Tensor]:
        def padded(rows: list[Tensor], value: float) -> Tensor:
            return pad_sequence(rows, batch_first=True, padding_value=value)

        features = {m: padded([d.features[m] for d in dialogues], 0.0) for m in self.modalities}
        return features | {
            "speaker": padded([d.speaker for d in dialogues], 0),
            "label": padded([d.labels for d in dialogues], -1),
            "mask": padded([torch.ones(len(d), dtype=torch.bool) for d in dialogues], False),
        }

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        h = self._encode(batch)
        h_BLMD = torch.stack([self._reduced(m, h[m]) for m in self.modalities], dim=-2)
        gate_BLMD = torch.softmax(self.model.fusion.choose(h_BLMD), dim=-2)
        logits_BLC = self.model.classifier.score((gate_BLMD * h_BLMD).sum(dim=-2))
        return self._objective(logits_BLC, h_BLMD, batch["label"])

    def _encode(self, batch: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
        """For each target modality its streams, its own first."""
        encoder = self.model.encoder
        speaker_BLD = encoder.speaker(batch["speaker"])
        position_LD = _positions(speaker_BLD.shape[1], speaker_BLD)
        x = {m: encoder.project[m](batch[m]) + position_LD + speaker_BLD for m in self.modalities}
        return {
            m: [encoder.pairs[f"{m}_from_{n}"](x[m], x[n], batch["mask"]) for n in sources]
            for m, sources in self.pairs.items()
        }

    def _reduced(self, target: str, streams: list[Tensor]) -> Tensor:
        gated = []
        for source, x_BLD in zip(self.pairs[target], streams, strict=True):
            gate = self.model.fusion.gates[f"{target}_from_{source}"]
            gated.append(torch.sigmoid(gate.score(x_BLD) if self.learned_gates else x_BLD) * x_BLD)
        reduced_BLD: Tensor = self.model.fusion.reduce[target](torch.cat(gated, dim=-1))
        return reduced_BLD

    def _objective(self, logits_BLC: Tensor, h_BLMD: Tensor, label_BL: Tensor) -> Tensor:
        scored_BL, label_BL = label_BL >= 0, label_BL.clamp(min=0)
        total = _weight(self.task, "nll") * _nll(logits_BLC, label_BL, scored_BL, self.task_weight)
        temperature = self.distill["temperature"]
        teacher_BLC = torch.log_softmax(logits_BLC / temperature, dim=-1)
        for i, student in enumerate(self.students.values()):
            student_BLC = student(h_BLMD[:, :, i])
            hard = _nll(student_BLC, label_BL, scored_BL, self.hard_weight)
            log_BLC = torch.log_softmax(student_BLC / temperature, dim=-1)
            kl_BL = (teacher_BLC.exp() * (teacher_BLC - log_BLC)).sum(dim=-1)
            soft = (kl_BL * scored_BL).sum() / scored_BL.sum()
            total = total + _weight(self.distill, "hard") * hard + _weight(self.distill, "soft") * soft
        return total

    def make_optimizer(self, lr: float, weight_decay: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=lr, weight_decay=weight_decay)


def _modules(**modules: nn.Module) -> Any:
    """Modules under these names, reached as attributes or as items."""
    return nn.ModuleDict(modules)


def _nll(logits_BLC: Tensor, label_BL: Tensor, scored_BL: Tensor, weight_C: Tensor) -> Tensor:
    weight_BL = weight_C[label_BL] * scored_BL
    logp_BL = torch.log_softmax(logits_BLC, dim=-1).gather(-1, label_BL.unsqueeze(-1)).squeeze(-1)
    return -(weight_BL * logp_BL).sum() / weight_BL.sum()


def _positions(length: int, like: Tensor) -> Tensor:
    width = like.shape[-1]
    position_L1 = torch.arange(length, device=like.device, dtype=like.dtype).unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2, device=like.device, dtype=like.dtype) * (-math.log(10000.0) / width))
    table_LD = like.new_zeros(length, width + width % 2)
    table_LD[:, 0::2], table_LD[:, 1::2] = torch.sin(position_L1 * rate), torch.cos(position_L1 * rate)
    return table_LD[:, :width]


def _slot(recipe: Recipe, loss: str) -> dict[str, Any]:
    slot, found = next((name, found) for name, found in recipe.losses.items() if found.name == loss)
    return {"slot": slot, "weight": found.weight, **found.config.model_dump()}


def _weight(loss: Mapping[str, Any], term: str) -> float:
    weight = loss["weight"]
    return float(weight.get(term, 1.0) if isinstance(weight, Mapping) else weight)


def _beyond(recipe: Recipe) -> Iterator[str]:
    """What of a recipe is not SDT."""
    parts = {"encoder": "intra_inter_transformer", "fusion": "hierarchical_gated", "classifier": "linear"}
    for kind, name in parts.items():
        if getattr(recipe, kind).name != name:
            yield f"{kind} '{getattr(recipe, kind).name}'"
    losses = sorted(loss.name for loss in recipe.losses.values())
    if losses != ["cross_entropy", "self_distillation"]:
        yield f"losses {', '.join(losses)}"
    if dropout := recipe.classifier.config.model_dump().get("dropout"):
        yield f"classifier.dropout={dropout}"
    if recipe.transforms:
        yield f"transforms {', '.join(slot.name for slot in recipe.transforms)}"
    slots = {"encoder": recipe.encoder, "fusion": recipe.fusion}
    slots |= {f"losses.{name}": slot for name, slot in recipe.losses.items()}
    for where, slot in slots.items():
        for key, value in slot.config.model_dump().items():
            if value != PUBLISHED.get(key, value) or (key, value) == ("unimodal_gate", "none"):
                yield f"{where}.{key}={value}"


@hookimpl
def ercframe_components() -> list[type[Yardstick]]:
    return [PaddedSDT]
