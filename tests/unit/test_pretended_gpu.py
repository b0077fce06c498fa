"""Whole training steps and scoring on tensors that say they are on a GPU: nothing may wait for it."""

import itertools
import json

import pytest
import torch

from ercframe import plugins, recipes
from ercframe.build import Experiment, assemble
from ercframe.errors import InputError
from ercframe.evaluate import batches
from ercframe.recipes.files import installed_names
from ercframe.testing.pretended_gpu import GPU, no_waiting, pretended_gpu
from ercframe.training.batches import grouped, on_device, training_batches
from ercframe.training.state import TrainingState, new_state
from ercframe.training.step import Step

SMALL = ["dataset.train=6", "dataset.dev=3", "dataset.test=3", "trainer.batch_dialogues=3", "protocol.seeds=1"]
OPTIONS = ["trainer.clip_norm=1.0", "trainer.average={name: ema, decay: 0.9}"]
EVERYTHING = [*OPTIONS, "trainer.accumulate=2"]
TASKS = {"task": {"type": "cross_entropy"}, "focal": {"type": "focal"}, "near": {"type": "supervised_contrastive"}}
LOSSES = (TASKS, {**TASKS, "distill": {"type": "self_distillation"}})
KINDS = ("encoder", "fusion", "classifier")
PARTS = {
    kind: [entry.component for entry in plugins.load().entries(kind)] for kind in ("encoder", "fusion", "classifier")
}


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch):
    """What asks a driver, and not a tensor."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)


def changed(x: torch.Tensor, index: object, values: object) -> torch.Tensor:
    x[index] = values
    return x


def experiment(name: str, *changes: str) -> Experiment:
    return assemble(recipes.load(name, [*SMALL, *changes], demo=True))


def train(one: Experiment) -> TrainingState:
    """Every step of an epoch, as the trainer takes them, without a wait."""
    trainer = one.loaded.recipe.trainer
    state = new_state(one, 0, GPU)
    step = Step(state.learner, state.optimizer, state.precision, state.scaler, trainer.clip_norm)
    state.learner.train()
    host = list(training_batches(one, state.generator))
    with no_waiting(), state.precision.matmuls():
        for some in grouped(host, trainer.accumulate):
            for terms in step([on_device(batch, state.device) for batch in some]):
                state.tally.add(terms)
            if state.average is not None:
                state.average.step_done(state.learner, 1, True, True)
    return state


def predict(one: Experiment, state: TrainingState) -> torch.Tensor:
    """What scoring computes before it reads the labels."""
    state.scored.eval()
    with no_waiting(), torch.inference_mode(), state.precision.autocast():
        (batch,) = (on_device(batch, state.device) for batch in batches(one.splits.dev, 3))
        return state.scored.model(batch.features, batch.context).decision.logits.index_select(0, batch.scored)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_epoch_of_sdt_with_all_that_a_step_may_have_never_waits(precision):
    one = experiment("sdt_iemocap", *EVERYTHING, f"trainer.precision={precision}")
    with pretended_gpu():
        state = train(one)
        assert state.tally.waiting == 2
        assert {p.device for p in state.learner.parameters()} == {GPU}
        assert all(p.grad is not None and p.grad.device == GPU for p in state.learner.model.classifier.parameters())
        assert {x.device for values in state.optimizer.state.values() for x in values.values()} == {GPU}
        assert predict(one, state).device == GPU


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda x, host: x.sum().item(), "cannot be called on meta tensors"),
        (lambda x, host: x.tolist(), "no data"),
        (lambda x, host: 1 if x.any() else 0, "cannot be called on meta tensors"),
        (lambda x, host: x.nonzero(), "nonzero"),
        (lambda x, host: x[x > 0], "nonzero"),
        (lambda x, host: x.equal(x), "equal"),
        (lambda x, host: x.cpu(), "no data"),
        (lambda x, host: x + host, "not on the expected device"),
        (lambda x, host: x.index_select(0, host.long()[0]), "makes the host wait: it moves values"),
        (lambda x, host: host.to(x.device), r"_to_copy.default makes the host wait: .* \(shapes \(2, 3\)\)"),
        (lambda x, host: x.copy_(host), "copy_.default makes the host wait"),
        (lambda x, host: torch.tensor([1.0], device=x.device), "tensor makes the host wait: it copies numbers"),
        (lambda x, host: x.new_tensor(1.0), "new_tensor makes the host wait: it copies numbers"),
        (lambda x, host: x.new_tensor(data=[1.0]), "new_tensor makes the host wait: it copies numbers"),
        (lambda x, host: torch.tensor(data=[1.0], device=x.device), "tensor makes the host wait: it copies numbers"),
        (lambda x, host: torch.as_tensor([1.0], device=x.device), "as_tensor makes the host wait: it copies numbers"),
        (lambda x, host: torch.asarray(obj=[1.0], device=x.device), "asarray makes the host wait: it copies numbers"),
        (lambda x, host: x.__setitem__(x > 0, x[0]), "index_put_.default makes the host wait: it puts values"),
        (lambda x, host: x.__setitem__((x[:, 0] > 0, 1), x[:, 0]), "it puts values where a mask says"),
        (lambda x, host: x.index_put((x > 0,), x[0]), "index_put.default makes the host wait"),
        (lambda x, host: x.index_put_(((x > 0).byte(),), x[0]), "it puts values where a mask says"),
        (lambda x, host: x.__setitem__(x > 0, x.sum()), "it puts values where a mask says"),
        (lambda x, host: x.index_put(indices=((x > 0),), values=x.sum()), "it puts values where a mask says"),
        (lambda x, host: x.index_put_(((x > 0),), torch.tensor(1.0), True), "it puts values where a mask says"),
        (lambda x, host: x.__setitem__((x[:, 0] > 0, x[0] > 0), 1.0), "it puts values where a mask says"),
        (lambda x, host: x.__setitem__((x[:, 0] > 0, x.long()[:, 0]), 1.0), "it puts values where a mask says"),
        (lambda x, host: torch._index_put_impl_(x, (x > 0,), x[0]), "_index_put_impl_.default makes the host wait"),
        (lambda x, host: x[:, [0, 1]], "an index that is a list makes the host wait"),
    ],
    ids=lambda value: None if isinstance(value, str) else "",
)
def test_what_makes_the_host_wait_is_refused(fault, told):
    host = torch.ones(2, 3)
    with pretended_gpu():
        x = host.to("cuda")
        with no_waiting(), pytest.raises((RuntimeError, NotImplementedError), match=told):
            fault(x, host)


@pytest.mark.parametrize(
    "free",
    [
        lambda x, host: host.pin_memory().to(x.device, non_blocking=True),
        lambda x, host: torch.empty_like(x).copy_(host, non_blocking=True),
        lambda x, host: x * torch.tensor(2.0),  # a single number travels with the kernel's call
        lambda x, host: x.masked_fill(x > 0, 0.0),
        lambda x, host: torch.full((), 2.0, device=x.device),
        lambda x, host: torch.as_tensor(x, device=x.device),
        lambda x, host: torch.as_tensor(data=x),
        lambda x, host: torch.asarray(obj=x),
        lambda x, host: x.new_tensor(data=x[0]),
        lambda x, host: x[0],
        lambda x, host: changed(x, x > 0, 0.0),  # a single number is filled in
        lambda x, host: changed(x, x.long()[:, 0], x),
    ],
    ids=lambda value: "",
)
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
def test_what_needs_no_wait_is_let_through(free):
    host = torch.ones(2, 3)
    with pretended_gpu():
        x = host.to("cuda:0")
        with no_waiting():
            made = free(x, host)
    assert made.is_meta


def test_a_mask_on_the_host_may_say_where_values_of_the_host_go():
    host = torch.zeros(2, 3)
    with pretended_gpu(), no_waiting():
        changed(host, host == 0, torch.arange(6.0))
    assert host.flatten().tolist() == [0, 1, 2, 3, 4, 5]


def test_outside_of_the_block_nothing_is_pretended():
    before = torch.backends.cudnn.enabled
    with pretended_gpu():
        x = torch.ones(1, device="cuda")
        assert (x.device, x.is_cuda) == (GPU, True)
    assert (x.device.type, x.is_cuda, torch.backends.cudnn.enabled) == ("meta", False, before)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "adamw"])  # PyTorch's fused SGD cannot do without values
@pytest.mark.parametrize("name", installed_names())
def test_every_recipe_never_waits(name, optimizer):
    losses = recipes.load(name, demo=True).recipe.losses.values()
    compares = any(slot.component.couples_rows for slot in losses)  # which the gradients of parts of a batch cannot
    one = experiment(name, *(OPTIONS if compares else EVERYTHING), f"trainer.optimizer.name={optimizer}")
    with pretended_gpu():
        predict(one, train(one))


@pytest.mark.slow
@pytest.mark.parametrize("encoder", PARTS["encoder"], ids=lambda part: part.name)
def test_every_combination_of_parts_that_fits_never_waits(encoder, tmp_path):
    tried = 0
    for fusion, classifier, losses in itertools.product(PARTS["fusion"], PARTS["classifier"], LOSSES):
        slots = {part.kind: {"type": part.name, **part.example_configs[0]} for part in (encoder, fusion, classifier)}
        recipe = {"modalities": ["text", "audio"], "dataset": {"type": "synthetic"}, **slots, "losses": losses}
        (tmp_path / "tried.yaml").write_text(json.dumps(recipe), encoding="utf-8")
        try:
            one = assemble(recipes.load(tmp_path / "tried.yaml", [*SMALL, *OPTIONS]))
        except InputError:
            continue
        with pretended_gpu():
            predict(one, train(one))
        tried += 1
    assert tried >= 4
