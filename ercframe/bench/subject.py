"""What is measured: one training step of a recipe, or of a yardstick, in parts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ercframe.build import Experiment
from ercframe.components import Yardstick
from ercframe.data.dialogue import Dialogue, collate
from ercframe.training.batches import on_device, orders
from ercframe.training.precision import Precision
from ercframe.training.state import new_learner, new_state
from ercframe.training.step import Step

PARTS = ("data", "forward", "backward", "optimizer")


@dataclass(frozen=True)
class Subject:
    """One way to train a recipe, on the device.

    Attributes:
        batch: dialogues to a batch on the device.
        forward: a batch to the objective.
        backward: adds its gradient to the parameters.
        update: changes the parameters.
        clear: forgets the gradients.
        precision: of its arithmetic.
    """

    batch: Callable[[Sequence[Dialogue]], Any]
    forward: Callable[[Any], Tensor]
    backward: Callable[[Tensor], None]
    update: Callable[[], object]
    clear: Callable[[], None]
    precision: Precision


def packed(experiment: Experiment, device: torch.device) -> Subject:
    """The recipe as ``ercframe run`` trains it."""
    state = new_state(experiment, 0, device)
    step = Step(
        state.learner, state.optimizer, state.precision, state.scaler, experiment.loaded.recipe.trainer.clip_norm
    )
    state.learner.train()
    return of_step(step, device)


def of_step(step: Step, device: torch.device) -> Subject:
    """A training step in its parts."""
    return Subject(
        lambda dialogues: on_device(collate(dialogues), device),
        lambda batch: step.forward(batch)[1],
        step.backward,
        step.update,
        step.optimizer.zero_grad,
        step.precision,
    )


def against(experiment: Experiment, name: str, device: torch.device) -> Subject:
    """A yardstick with the weights that the recipe starts from, in float32."""
    recipe, settings = experiment.loaded.recipe, experiment.loaded.recipe.trainer.optimizer
    make: Any = experiment.loaded.registry.get("yardstick", name)
    yardstick: Yardstick = make(make.Config(), experiment.info, recipe).to(device)
    yardstick.load_state_dict(new_learner(experiment, 0, device).state_dict())
    optimizer = yardstick.make_optimizer(settings.lr, settings.weight_decay)
    return Subject(
        lambda dialogues: {name: x.to(device) for name, x in yardstick.collate(dialogues).items()},
        yardstick.train(),
        lambda total: total.backward(),  # type: ignore[no-untyped-call]
        optimizer.step,
        optimizer.zero_grad,
        Precision.choose("fp32", device),
    )


def batches(experiment: Experiment) -> Iterator[list[Dialogue]]:
    """The training dialogues of one epoch after another in the order of seed 0, the same for every subject."""
    train, generator = experiment.splits.train, torch.Generator().manual_seed(0)
    while True:
        yield from ([train[i] for i in chosen] for chosen in orders(experiment, generator))


def timed_step(subject: Subject, dialogues: Sequence[Dialogue], device: torch.device) -> dict[str, float]:
    """Seconds of each part of one step, and of the process on all its cores, ``processor``.

    The latter hardly depend on what else the machine does.
    """
    began = time.process_time()
    marks = [_now(device)]
    batch = subject.batch(dialogues)
    marks.append(_now(device))
    subject.clear()
    total = subject.forward(batch)
    marks.append(_now(device))
    subject.backward(total)
    marks.append(_now(device))
    subject.update()
    marks.append(_now(device))
    parts = {part: end - start for part, start, end in zip(PARTS, marks, marks[1:], strict=False)}
    return {**parts, "processor": time.process_time() - began}


def count_flops(subject: Subject, dialogues: Sequence[Dialogue]) -> int:
    """Multiplications and additions of matrix products in one forward and backward pass, by PyTorch's own counter.

    A fused attention kernel that the counter does not know, as a CPU has one without dropout, adds nothing.
    """
    subject.clear()
    with FlopCounterMode(display=False) as counter:
        subject.backward(subject.forward(subject.batch(dialogues)))
    subject.clear()
    return int(counter.get_total_flops())


def matmul_rate(precision: Precision, device: torch.device, seconds: float = 0.3) -> float:
    """The machine's own rate of matrix products in the format of a precision, in FLOP/s: the best of many.

    Of ``(2048, 1024)`` times ``(1024, 1024)``, as in a full-size SDT with a large batch.
    """
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision.name, torch.float32)
    x, w = torch.randn(2048, 1024, device=device, dtype=dtype), torch.randn(1024, 1024, device=device, dtype=dtype)
    best, end = float("inf"), time.perf_counter() + seconds
    products = 200 if device.type == "cuda" else 4  # a wait for a GPU takes as long as several products
    with precision.matmuls():
        while best == float("inf") or time.perf_counter() < end:
            start = _now(device)
            for _ in range(products):
                x @ w.T
            best = min(best, (_now(device) - start) / products)
    return 2 * 2048 * 1024 * 1024 / best


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
