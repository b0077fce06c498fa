"""Checks that a part runs wherever it is put: in another precision, on another device, compiled."""

from __future__ import annotations

import warnings
from dataclasses import replace

import torch

from ercframe.blame import blame
from ercframe.tensors import Batch
from ercframe.testing.pretended_gpu import GPU, no_waiting, pretended_gpu
from ercframe.testing.trial import Trial
from ercframe.testing.verdicts import ContractError, require, require_finite, require_same


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
        raise ContractError(f"the input's device must be followed (got {blame(error)})") from error
    elsewhere = {name: str(x.device) for name, x in outputs.items() if x.device.type != "meta"}
    require(not elsewhere, f"outputs must be on the input's device (got {elsewhere})")


def host_does_not_wait(trial: Trial) -> None:
    """Forward and backward must give a GPU nothing that the host has to wait for.

    A GPU works while Python runs ahead of it. Copying a list to it in ``forward``, indexing with one, or reading a
    value waits until it is idle, in every step. Tried in training on tensors that say they are on a GPU and hold no
    values. What is known beforehand belongs in a buffer, or comes with the batch.
    """
    part, batch, inputs = trial.build().train(), trial.batch(), trial.inputs(trial.batch())
    try:
        with pretended_gpu():
            part, batch = part.to(GPU), batch.to(GPU)
            inputs = {name: x.to(GPU).requires_grad_() for name, x in inputs.items()}
            with no_waiting():
                outputs = trial.outputs(part, inputs, batch)
                torch.stack([x.sum() for x in outputs.values()]).sum().backward()  # type: ignore[no-untyped-call]
    except (RuntimeError, NotImplementedError) as error:
        raise ContractError(f"nothing may wait for the GPU (got {blame(error)})") from error


def autocast_stays_finite(trial: Trial) -> None:
    """Outputs and gradients must be finite under bfloat16 autocast.

    Training in it is twice as fast. A difference from 1, a small norm or a large exponent is lost in its 8 bits.
    """
    part, batch = trial.build().train(), trial.batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs, gradients = trial.with_gradients(part, batch)
    require_finite("outputs under bfloat16 autocast", outputs)
    require_finite("gradients under bfloat16 autocast", gradients)


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


def _in_float64(batch: Batch) -> Batch:
    return replace(batch, features={m: x.double() for m, x in batch.features.items()})
