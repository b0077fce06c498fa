"""Precision: what is rounded and what stays float32."""

import pytest
import torch

from ercframe import recipes
from ercframe.build import assemble
from ercframe.errors import InputError
from ercframe.training.batches import training_batches
from ercframe.training.loop import fit
from ercframe.training.precision import Precision
from ercframe.training.state import new_state
from ercframe.training.step import Step

CPU = torch.device("cpu")
SMALL = ["encoder.width=16", "encoder.heads=2", "dataset.train=12", "dataset.dev=4", "dataset.test=4"]


@pytest.fixture(scope="module")
def experiment():
    return assemble(recipes.load("sdt_iemocap", [*SMALL, "trainer.precision=bf16", "trainer.epochs=2"], demo=True))


def test_auto_keeps_a_cpu_in_float32():
    assert Precision.choose("auto", CPU) == Precision("fp32", "cpu")


@pytest.mark.parametrize("setting", ["tf32", "fp16"])
def test_what_only_cuda_has_is_refused_elsewhere(setting):
    with pytest.raises(InputError) as raised:
        Precision.choose(setting, CPU)
    assert str(raised.value) == (
        f"trainer.precision '{setting}' needs a CUDA device (got cpu); fp32 and bf16 work everywhere"
    )


@pytest.mark.parametrize(("found", "name"), [(True, "bf16"), (False, "fp32")])
def test_on_cuda_auto_takes_bf16_where_the_gpu_has_it(monkeypatch, found, name):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: found)
    assert Precision.choose("auto", torch.device("cuda")).name == name


def test_a_gpu_without_bf16_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla V100")
    with pytest.raises(InputError, match=r"'bf16' needs a GPU that has it \(got Tesla V100\); fp16 works there"):
        Precision.choose("bf16", torch.device("cuda"))


def test_in_bf16_the_model_rounds_but_losses_weights_and_gradients_do_not(experiment):
    state = new_state(experiment, 0, CPU)
    batch = next(training_batches(experiment, torch.Generator().manual_seed(0)))
    with state.precision.autocast():
        output, terms = state.learner(batch)
    assert output.decision.logits.dtype == torch.bfloat16
    assert {x.dtype for term in terms.values() for x in (term.total, term.count)} == {torch.float32}
    assert output.fused.weights["modality"].dtype == torch.float32
    Step(state.learner, state.optimizer, state.precision, state.scaler)([batch])
    assert {p.dtype for p in state.learner.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in state.learner.parameters()} == {torch.float32}


def test_training_and_scoring_in_bf16_leave_no_autocast_behind(experiment):
    state = new_state(experiment, 0, CPU)
    fit(state, experiment)
    assert len(state.epochs) == 2
    assert state.epochs[1].loss < state.epochs[0].loss
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(("name", "inside"), [("tf32", "high"), ("fp32", "highest")])
def test_the_rounding_of_float32_products_is_set_for_a_run_and_restored(name, inside):
    def rounding() -> tuple[str, bool]:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    before = rounding()
    with Precision(name, "cuda").matmuls():
        assert rounding() == (inside, name == "tf32")
    assert rounding() == before


def test_only_fp16_scales_the_loss():
    for name in ("fp32", "bf16", "tf32"):
        assert not Precision(name, "cuda").scaler().is_enabled()
