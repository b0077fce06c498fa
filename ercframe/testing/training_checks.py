"""Checks that a part of a model can be trained: gradients, precision, devices, randomness, checkpoints."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from ercframe.tensors import Batch
from ercframe.testing.trial import FusionTrial, Trial
from ercframe.testing.verdicts import (
    ContractError,
    copied,
    require,
    require_finite,
    require_same,
    require_untouched,
)


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


def every_parameter_learns(trials: Sequence[Trial]) -> None:
    """Every parameter must get a gradient, in some scene not all zeros, or be in ``may_be_idle`` with the reason.

    A parameter out of reach is a layer that is silently dead. What ``may_be_idle`` names must exist, and must be idle
    in some scene: a list that is out of date hides the next dead layer.
    """
    dead: dict[str, bool] = {}
    listed: dict[str, bool] = {}
    for trial in trials:
        part = trial.build().train()
        gradients = _of_parameters(trial, part, {})
        lost = [name for name, g in gradients.items() if g is None and name not in part.may_be_idle]
        require(not lost, f"{_scene(trial)}: every parameter must get a gradient (none reaches {lost})")
        for name, gradient in gradients.items():
            dead[name] = dead.get(name, name not in part.may_be_idle) and not _arrives(gradient)
        alone = _of_parameters(trial, part, {"lengths": (1, 1)}) if part.may_be_idle else {}
        for name, reason in part.may_be_idle.items():
            require(bool(reason.strip()), f"may_be_idle['{name}'] must give a reason")
            idle = name in gradients and not (_arrives(gradients[name]) and _arrives(alone[name]))
            listed[name] = listed.get(name, False) or idle
    zero = [name for name, always in dead.items() if always]
    require(not zero, f"every parameter must get a gradient that is not all zeros in some scene ({zero} never does)")
    busy = [name for name, was_idle in listed.items() if not was_idle]
    require(not busy, f"may_be_idle must name parameters that can be idle ({busy} are not)")


def every_input_is_read(trials: Sequence[Trial]) -> None:
    """A gradient must reach what comes before: for an encoder every modality, for a fusion every stream.

    A fusion may read each modality's own stream only, provided that it leaves *all* other streams alone: the probe
    before training then refuses an encoder that emits them. A classifier or loss must read something.
    """
    for trial in trials:
        _, gradients = trial.with_gradients(trial.build(), trial.batch())
        names = list(trial.inputs(trial.batch()))
        read = {name for name in names if _arrives(gradients[name])}
        if isinstance(trial, FusionTrial):
            own = {name for name, s in zip(names, trial.spec.widths, strict=True) if s.target == s.source}
            needed = own if read <= own else set(names)
        else:
            needed = set(names) if trial.component.kind == "encoder" else set()
        missed = sorted(needed - read)
        require(not missed, f"{_scene(trial)}: a gradient must reach every input (none reaches {missed})")
        require(bool(read), f"{_scene(trial)}: a gradient must reach an input (none reaches any of {names})")


def dtype_is_followed(trial: Trial) -> None:
    """In float64, with float64 input, the component must compute in float64.

    Published systems are reproduced to 1e-9 that way. A cast, or a tensor made without a dtype, prevents it.
    """
    part, batch = trial.build().double(), _in_float64(trial.batch())
    outputs, gradients = trial.with_gradients(part, batch)
    wrong = {name: x.dtype for name, x in outputs.items() if x.dtype != torch.float64}
    require(not wrong, f"outputs must have the input's dtype, float64 (got {wrong})")
    require_finite("gradients in float64", gradients)


def device_is_followed(trial: Trial) -> None:
    """The component must be built and run on the device that it is given, and must not wait for a value there.

    Tried on PyTorch's ``meta`` device, which holds no values: a tensor left on the host, and reading a value in
    ``forward`` (``.item()``, ``if x.equal(y)``, ``nonzero``), fail there as they fail or wait on an accelerator.
    """
    try:
        with torch.device("meta"):
            part = trial.build()
        outputs = trial.run(part, trial.batch().to("meta"))
    except (RuntimeError, NotImplementedError) as error:
        raise ContractError(f"the input's device must be followed (got {type(error).__name__}: {error})") from error
    elsewhere = {name: str(x.device) for name, x in outputs.items() if x.device.type != "meta"}
    require(not elsewhere, f"outputs must be on the input's device (got {elsewhere})")


def missing_modalities_stay_finite(trial: Trial) -> None:
    """Outputs and gradients must be finite when an utterance, or everybody, lacks a modality, or all of them.

    A missing row is zeros: a norm, an angle or a softmax over nothing gives NaN there, at the latest in its gradient.
    """
    modalities = tuple(trial.scene.dataset.modalities)
    for lacking in [*((m,) for m in modalities), modalities]:
        part = trial.build()
        for training in (True, False):
            outputs, gradients = trial.with_gradients(part.train(training), trial.batch(lacking=lacking))
            require_finite(f"outputs without {', '.join(lacking)}", outputs)
            require_finite(f"gradients without {', '.join(lacking)}", gradients)


def single_utterance_is_enough(trial: Trial) -> None:
    """A batch of one dialogue of one utterance must work in training, too.

    It occurs: the last batch of an epoch takes what is left. Statistics over rows are not defined there.
    """
    part = trial.build()
    for training in (True, False):
        outputs, gradients = trial.with_gradients(part.train(training), trial.batch(lengths=(1,), unscored=False))
        require_finite("outputs for a single utterance", outputs)
        require_finite("gradients for a single utterance", gradients)


def autocast_stays_finite(trial: Trial) -> None:
    """Outputs and gradients must be finite under bfloat16 autocast."""
    part, batch = trial.build().train(), trial.batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, gradients = trial.with_gradients(part, batch)
    require_finite("outputs under bfloat16 autocast", outputs)
    require_finite("gradients under bfloat16 autocast", gradients)


def results_repeat(trial: Trial) -> None:
    """In eval mode the same input must give the same output; in train mode, with the same seed of PyTorch, too.

    A run is repeated from its seed. Randomness from elsewhere, and dropout that ignores the mode, prevent it.
    """
    part, batch = trial.build(), trial.batch()
    require_same("the same input in eval mode must give the same", trial.run(part, batch), trial.run(part, batch))
    first, second = (_trained_once(trial, batch, noise) for noise in (1, 2))
    require_same("the same seed in train mode must give the same", second, first)


def checkpoint_restores(trial: Trial) -> None:
    """Weights saved as safetensors and loaded into a new component must give the same results.

    State outside of parameters and buffers is lost with the process; tensors that share memory cannot be saved.
    """
    part, other, batch = trial.build(seed=0), trial.build(seed=1), trial.batch()
    with torch.no_grad():
        trial.run(part.train(), batch)
    other.load_state_dict(load(save(part.state_dict())))
    require_same("a restored component must give the same", trial.run(other, batch), trial.run(part.eval(), batch))


def compiled_gives_the_same(trial: Trial) -> None:
    """``torch.compile`` must trace the component and give the same results.

    Traced without generating code, so that no compiler is needed; slow, so tried in one scene.
    """
    part, batch = trial.build(), trial.batch()
    torch.compiler.reset()
    compiled = torch.compile(part, backend="eager", dynamic=True)
    with warnings.catch_warnings():  # what the tracer warns of is its own doing
        warnings.simplefilter("ignore")
        got = trial.run(compiled, batch)
    require_same("compiled, a component must give the same", got, trial.run(part, batch))


def _of_parameters(trial: Trial, part: torch.nn.Module, options: Mapping[str, object]) -> dict[str, Tensor | None]:
    """The gradient of every trained parameter, by its name."""
    _, gradients = trial.with_gradients(part, trial.batch(**options))
    return {name: gradients[f"parameter {name}"] for name, p in part.named_parameters() if p.requires_grad}


def _arrives(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())


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


def _in_float64(batch: Batch) -> Batch:
    return replace(batch, features={m: x.double() for m, x in batch.features.items()})


def _scene(trial: Trial) -> str:
    return f"in the scene '{trial.scene.name}'"
