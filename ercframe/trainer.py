"""Training: the loop, the optimizer, and the rule that chooses an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.data.dialogue import collate
from ercframe.errors import InputError, RunError
from ercframe.evaluate import score
from ercframe.metrics import Scores
from ercframe.model import Learner
from ercframe.settings import OptimizerSettings
from ercframe.tensors import Batch


@dataclass(frozen=True)
class Epoch:
    """What is known after an epoch.

    Attributes:
        number: from 1.
        loss: the weighed sum of ``terms``, in nats.
        terms: each loss term, unweighed, in nats per counted row of the epoch.
        dev, test: scores; None where the protocol does not score them after each epoch.
        seconds: how long training and scoring took.
    """

    number: int
    loss: float
    terms: Mapping[str, float]
    dev: Scores | None
    test: Scores | None
    seconds: float


Observer = Callable[[Epoch, bool], None]
"""Told of every epoch and whether it is the best so far; observes, never steers."""


def fit(learner: Learner, experiment: Experiment, seed: int, device: torch.device, observe: Observer) -> None:
    """Train ``learner``, which is on ``device``, as the recipe says.

    Args:
        learner: model and losses; its state is the last epoch's when this returns.
        experiment: data and settings.
        seed: orders the batches and drives the transforms.
        device: where to train.
        observe: called after each epoch.

    Raises:
        RunError: a loss term is no longer finite, or the model puts out NaN.
    """
    settings, protocol = experiment.loaded.recipe.trainer, experiment.loaded.recipe.protocol
    optimizer = make_optimizer(settings.optimizer, learner)
    generator = torch.Generator().manual_seed(seed)
    choice = Choice("test" if protocol.name == "paper" else "dev", protocol.monitor)
    for number in range(1, settings.epochs + 1):
        started = time.perf_counter()
        loss, terms = train_epoch(
            learner, optimizer, training_batches(experiment, generator), device, settings.clip_norm
        )
        _require_finite(number, terms)
        dev, test = _scores(learner, experiment, device)
        epoch = Epoch(number, loss, terms, dev, test, time.perf_counter() - started)
        observe(epoch, choice.take(epoch))
        if settings.patience is not None and number - choice.number >= settings.patience:
            break


def train_epoch(
    learner: Learner,
    optimizer: torch.optim.Optimizer,
    host_batches: Iterator[Batch],
    device: torch.device,
    clip_norm: float | None,
) -> tuple[float, dict[str, float]]:
    """One pass over the training batches; the objective and each term's mean, read once at the end."""
    learner.train()
    sums: dict[str, Tensor] = {}
    for host_batch in host_batches:
        batch = host_batch.to(device, non_blocking=True)
        optimizer.zero_grad(set_to_none=True)
        _, terms = learner(batch)
        loss = learner.objective.total(terms)
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(learner.parameters(), clip_norm)
        optimizer.step()
        for name, term in terms.items():
            pair = torch.stack([term.total.detach(), term.count.to(term.total)])
            sums[name] = sums[name] + pair if name in sums else pair
    read = {name: pair.tolist() for name, pair in sums.items()}
    means = {name: total / count if count else 0.0 for name, (total, count) in read.items()}
    return sum(learner.objective.weight(name) * value for name, value in means.items()), means


def training_batches(experiment: Experiment, generator: torch.Generator) -> Iterator[Batch]:
    """The training dialogues in a new order, in batches, changed by the recipe's transforms."""
    train, size = experiment.splits.train, experiment.loaded.recipe.trainer.batch_dialogues
    order = torch.randperm(len(train), generator=generator).tolist()
    for start in range(0, len(order), size):
        batch = collate([train[i] for i in order[start : start + size]])
        for transform in experiment.transforms:
            batch = transform.forward(batch, generator)
        yield batch


def make_optimizer(settings: OptimizerSettings, learner: Learner) -> torch.optim.Optimizer:
    """The recipe's optimizer over model and losses, in PyTorch's fused form (one kernel for all parameters)."""
    knobs: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay, "fused": True}
    if settings.name == "sgd":
        return torch.optim.SGD(learner.parameters(), momentum=0.9, **knobs)
    make = torch.optim.Adam if settings.name == "adam" else torch.optim.AdamW
    return make(learner.parameters(), **knobs)


class Choice:
    """Which epoch is the best so far: the first with the highest monitored score of one split."""

    def __init__(self, split: str, monitor: str) -> None:
        self.split, self.monitor = split, monitor
        self.number, self.best = 0, float("-inf")

    def take(self, epoch: Epoch) -> bool:
        """Whether this epoch is better than all before."""
        scores = getattr(epoch, self.split)
        value: float = getattr(scores, self.monitor)
        if value <= self.best:
            return False
        self.number, self.best = epoch.number, value
        return True


def best(epochs: Sequence[Epoch], split: str, monitor: str) -> Epoch:
    """The epoch that choosing on ``split`` would take."""
    choice = Choice(split, monitor)
    for epoch in epochs:
        choice.take(epoch)
    return epochs[choice.number - epochs[0].number]


def choose_device(name: str) -> torch.device:
    """The device a recipe asks for.

    Raises:
        InputError: it asks for a CUDA device that there is not.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"trainer.device must be a device of this machine (got '{name}', but PyTorch finds no CUDA)")
    device, count = torch.device(name), torch.cuda.device_count()
    if device.index is not None and device.index >= count:
        raise InputError(f"trainer.device must be a device of this machine: cuda:0 to cuda:{count - 1} (got '{name}')")
    return device


def _scores(learner: Learner, experiment: Experiment, device: torch.device) -> tuple[Scores | None, Scores | None]:
    recipe, splits = experiment.loaded.recipe, experiment.splits
    arguments = (recipe.trainer.batch_dialogues, device, len(experiment.info.labels))
    dev = score(learner, splits.dev, *arguments) if splits.dev else None
    test = score(learner, splits.test, *arguments) if recipe.protocol.show_gap else None
    return dev, test


def _require_finite(number: int, terms: Mapping[str, float]) -> None:
    broken = [name for name, value in terms.items() if value != value or value in (float("inf"), float("-inf"))]
    if broken:
        raise RunError(
            f"epoch {number}: the loss must be finite (got NaN or Inf in {', '.join(broken)}). "
            "A lower trainer.optimizer.lr or trainer.clip_norm=1 often helps."
        )
