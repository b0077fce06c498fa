"""Steps whose gradients and loss terms are compared between one process and several.

    RANK=0 WORLD_SIZE=2 … python gradients.py RECIPE FOLDER

takes them as one of several ranks, and writes what it got for every case into FOLDER/RANK.safetensors.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from ercframe import recipes
from ercframe.build import assemble
from ercframe.data.dialogue import Dialogue, collate
from ercframe.ranks import ALONE, Ranks, joined
from ercframe.tensors import Batch
from ercframe.training.loop import fit
from ercframe.training.parallel import ParallelStep
from ercframe.training.precision import Precision
from ercframe.training.share import divided
from ercframe.training.state import new_learner, new_state
from ercframe.training.step import Step

Rows = TypeVar("Rows", Batch, Dialogue)
RECIPE = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 12, "dev": 2, "test": 2, "labels": 4, "unscored_share": 0.2},
    "encoder": {"type": "identity", "width": 6},
    "fusion": {"type": "gated"},
    "classifier": {"type": "mlp", "hidden": [5], "dropout": 0},
    "losses": {
        "task": {"type": "cross_entropy", "class_weights": "inverse_frequency"},
        "distill": {"type": "self_distillation", "dropout": 0, "temperature": 2, "weight": {"hard": 0.5, "soft": 2}},
    },
}
CONTRAST = "losses.contrast={type: supervised_contrastive, projection: 3, weight: 0.3}"
MULTIEMO = (
    "fusion={type: cross_attention, layers: 1, heads: 2, hidden: 5}",
    "losses={task: {type: cross_entropy}, contrast: {type: swfc, weight: 0.3}, correlation: {type: soft_hgr}}",
)
RNN = (
    "encoder={type: dialogue_rnn, global_width: 4, party_width: 4, emotion_width: 4, dropout: 0, recurrent_dropout: 0}",
    "fusion={type: concat}",
    "losses={task: {type: focal, class_weights: inverse_frequency}}",
)


def scored(dialogue: Dialogue) -> Dialogue:
    """The dialogue as it is."""
    return dialogue


def unscored(dialogue: Dialogue) -> Dialogue:
    """The dialogue without labels."""
    return replace(dialogue, labels=torch.full_like(dialogue.labels, -1))


def one_turn(dialogue: Dialogue) -> Dialogue:
    """Its first turn."""
    return replace(
        dialogue,
        features={m: x[:1] for m, x in dialogue.features.items()},
        available={m: x[:1] for m, x in dialogue.available.items()},
        speaker=dialogue.speaker[:1],
        labels=dialogue.labels[:1].clamp_min(0),
        utterances=dialogue.utterances[:1],
    )


@dataclass(frozen=True)
class Case:
    """A step on some batches, each given as what becomes of its dialogues, and the recipe's changes."""

    batches: Sequence[Sequence[Callable[[Dialogue], Dialogue]]]
    overrides: Sequence[str] = ()


CASES = {
    "an even batch": Case([[scored] * 4]),
    "an odd batch": Case([[scored] * 5]),
    "a rank without a scored utterance": Case([[unscored, unscored, scored, scored]]),
    "a rank without a dialogue": Case([[scored]]),
    "nothing scored at all": Case([[unscored] * 3]),
    "rows that are compared over ranks": Case([[scored] * 5], [CONTRAST]),
    "compared rows, a rank without a dialogue": Case([[scored]], [CONTRAST]),
    "compared rows, a rank without a scored utterance": Case([[unscored, scored]], [CONTRAST]),
    "modalities that are compared over ranks": Case([[scored] * 5], MULTIEMO),
    "accumulated batches": Case([[scored] * 4, [unscored, scored, scored], [scored]]),
    "parameters that one rank does not reach": Case([[one_turn, scored, one_turn]], RNN),
    "parameters that no rank reaches": Case([[one_turn] * 4], RNN),
    "parameters that the last batch does not reach": Case([[scored] * 4, [one_turn] * 4], RNN),
    "parameters that the last batch reaches first": Case([[one_turn] * 4, [one_turn, scored]], RNN),
}


def take(case: Case, recipe: Path, ranks: Ranks = ALONE) -> dict[str, Tensor]:
    """The gradients of a step in float64, and the totals and counts of its batches' terms."""
    experiment = assemble(recipes.load(recipe, case.overrides))
    learner = new_learner(experiment, 0, torch.device("cpu")).double().train()
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    precision = Precision("fp32", "cpu")
    parts = (learner, optimizer, precision, precision.scaler(), None)
    step = Step(*parts) if ranks.alone else ParallelStep(*parts, ranks)
    dialogues = iter(experiment.splits.train)
    batches = [in_float64(collate([change(next(dialogues)) for change in changes])) for changes in case.batches]
    if not ranks.alone:
        batches = [divided(batch, ranks, learner.objective.couples_rows) for batch in batches]
    found: dict[str, Tensor] = {}
    for i, terms in enumerate(step(batches)):
        found |= {f"batch {i}: {name}": torch.stack([term.total, term.count]) for name, term in terms.items()}
    for name, p in learner.named_parameters():
        found[name] = p.new_zeros(0) if p.grad is None else p.grad  # none is not the same as zeros
    return {name: x.detach().clone().double() for name, x in found.items()}


STEADY = ["trainer.epochs=3", "trainer.batch_dialogues=5", "trainer.optimizer.lr=0.01"]
"""Three batches an epoch, the last of two dialogues."""
TRAININGS: dict[str, Sequence[str]] = {
    "ema, cosine, groups, clipped": (
        "trainer.average={name: ema, decay: 0.8, start_epoch: 2}",
        "trainer.schedule={name: cosine, warmup_steps: 2, final: 0.1}",
        "trainer.optimizer={name: adamw, lr: 0.01, weight_decay: 0.1, decay_biases: false, "
        "groups: {encoder: {lr: 0.003}, losses.distill: {weight_decay: 0.5}}}",
        "trainer.clip_norm=0.05",
    ),
    "swa, one cycle, momentum, accumulated": (
        "trainer.average={name: swa, start_epoch: 2}",
        "trainer.schedule.name=one_cycle",
        "trainer.optimizer={name: sgd, lr: 0.01, weight_decay: 0.1}",
        "trainer.accumulate=2",
    ),
    "ema, plateau, clipped, accumulated": (
        "trainer.average={name: ema, decay: 0.5}",
        "trainer.schedule={name: plateau, factor: 0.5, patience: 0}",
        "trainer.clip_norm=0.05",
        "trainer.accumulate=2",
    ),
    "compared rows, clipped": (CONTRAST, "trainer.clip_norm=0.05"),
    "a parameter that is idle in some steps, with momentum and decay": (
        *RNN,
        "trainer.optimizer={name: sgd, lr: 0.01, weight_decay: 0.1}",
        "trainer.batch_dialogues=2",
    ),
}


def train_exactly(name: str, recipe: Path, ranks: Ranks = ALONE) -> dict[str, Tensor]:
    """The weights in training and those that are scored after some epochs in float64, and each epoch's rates."""
    experiment = assemble(recipes.load(recipe, [*STEADY, *TRAININGS[name]]))
    change = [one_turn] * 6 + [scored] * 6 if "idle" in name else [scored] * 12
    train = [in_float64(turn(dialogue)) for turn, dialogue in zip(change, experiment.splits.train, strict=True)]
    dev, test = ([in_float64(d) for d in split] for split in (experiment.splits.dev, experiment.splits.test))
    experiment = replace(experiment, splits=replace(experiment.splits, train=train, dev=dev, test=test))
    state = new_state(experiment, 0, torch.device("cpu"), ranks)
    for learner in (state.learner, *([state.average.learner] if state.average else [])):
        learner.double()
    fit(state, experiment)
    weights = {f"{key}": x for key, x in state.learner.state_dict().items()}
    averaged = {f"scored.{key}": x for key, x in state.scored.state_dict().items()}
    rates = torch.tensor([list(epoch.learning_rates.values()) for epoch in state.epochs], dtype=torch.float64)
    return {key: x.clone() for key, x in (weights | averaged | {"rates": rates}).items()}


def train(recipe: Path, ranks: Ranks) -> dict[str, Tensor]:
    """The weights after two epochs with dropout, and the random numbers that come next."""
    changes = ["classifier.dropout=0.5", "trainer.epochs=2", "trainer.batch_dialogues=5", "trainer.clip_norm=1"]
    experiment = assemble(recipes.load(recipe, [*changes, CONTRAST]))
    state = new_state(experiment, 0, torch.device("cpu"), ranks)
    fit(state, experiment)
    return {**state.learner.state_dict(), "random": torch.rand(4)}


def in_float64(rows: Rows) -> Rows:
    """The batch or dialogue with features as exact as the parameters."""
    return replace(rows, features={m: x.double() for m, x in rows.features.items()})


if __name__ == "__main__":
    with joined() as together:
        save_file(train(Path(sys.argv[1]), together), Path(sys.argv[2]) / f"trained-{together.rank}.safetensors")
        everything = {
            f"{name}/{key}": x
            for name, case in CASES.items()
            for key, x in take(case, Path(sys.argv[1]), together).items()
        }
        for name in TRAININGS:
            trained = train_exactly(name, Path(sys.argv[1]), together)
            everything |= {f"{name}/{key}": x for key, x in trained.items()}
        save_file(everything, Path(sys.argv[2]) / f"{together.rank}.safetensors")
