"""Checks that results can be had again: same input, same seed, same weights."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Mapping

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from ercframe.tensors import Batch
from ercframe.testing.trial import Trial
from ercframe.testing.verdicts import ContractError, copied, require_same, require_untouched

_SAME = "the same input in eval mode must give the same"


def comparing(check: Callable[[Trial], None]) -> Callable[[Trial], None]:
    """A check that compares results; where a component does not even repeat its own, it says that instead."""

    @functools.wraps(check)
    def checked(trial: Trial) -> None:
        try:
            check(trial)
        except ContractError:
            _require_repeated(trial)
            raise

    return checked


def inputs_are_not_changed(trial: Trial) -> None:
    """Features, streams, context and labels must not be edited in place.

    The next part and the losses read the same tensors.
    """
    part, batch = trial.build().train(), trial.batch()
    inputs = {name: x.detach().clone() for name, x in trial.inputs(batch).items()}
    before_inputs, before_batch = copied(inputs), copied(batch)
    with torch.no_grad():  # in-place edits are then not refused by autograd, but go through
        trial.outputs(part, inputs, batch)
    require_untouched("inputs", before_inputs, inputs)
    require_untouched("the batch", before_batch, batch)


def results_repeat(trial: Trial) -> None:
    """In eval mode the same input must give the same output; in train mode, with the same seed of PyTorch, too.

    A run is repeated from its seed. Randomness from elsewhere, and dropout that ignores the mode, prevent it.
    """
    batch = trial.batch()
    _require_repeated(trial)
    first, second = (_trained_once(trial, batch, noise) for noise in (1, 2))
    require_same("the same seed in train mode must give the same", second, first)


@comparing
def checkpoint_restores(trial: Trial) -> None:
    """Weights saved as safetensors and loaded into a new component must give the same results.

    State outside of parameters and buffers is lost with the process; tensors that share memory cannot be saved.
    """
    part, other, batch = trial.build(seed=0), trial.build(seed=1), trial.batch()
    with torch.no_grad():
        trial.run(part.train(), batch)
    other.load_state_dict(load(save(part.state_dict())))
    require_same("a restored component must give the same", trial.run(other, batch), trial.run(part.eval(), batch))


@comparing
def a_copy_gives_the_same(trial: Trial) -> None:
    """After a training step, a deep copy of the component must be possible and give the same results.

    Averaged weights are kept in a copy. A tensor of the last batch that is kept in an attribute prevents it, and
    holds that batch's whole graph in memory.
    """
    part, batch = trial.build().train(), trial.batch()
    trial.with_gradients(part, batch)
    part.eval()
    require_same("a copy must give the same", trial.run(copy.deepcopy(part), batch), trial.run(part, batch))


def _require_repeated(trial: Trial) -> None:
    part, batch = trial.build(), trial.batch()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # whichever check asks, the answer is the same, so that a report can tell it once
        require_same(_SAME, trial.run(part, batch), trial.run(part, batch))


def _trained_once(trial: Trial, batch: Batch, noise: int) -> Mapping[str, Tensor]:
    """One forward pass in train mode: PyTorch seeded the same, everybody else differently."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(noise)
    np.random.seed(noise)
    try:
        with torch.random.fork_rng(devices=[]):
            part = trial.build().train()
            torch.manual_seed(0)
            return trial.run(part, batch)
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
