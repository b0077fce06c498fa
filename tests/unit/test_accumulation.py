"""Several batches in a step: together they count as one large batch."""

from dataclasses import replace

import pytest
import torch
import yaml

from ercframe import InputError, recipes
from ercframe.build import assemble
from ercframe.data.dialogue import collate
from ercframe.preflight import preflight
from ercframe.training.batches import grouped
from ercframe.training.loop import fit
from ercframe.training.precision import Precision
from ercframe.training.state import new_state
from ercframe.training.step import Step

CPU, FP32 = torch.device("cpu"), Precision("fp32", "cpu")
TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 11, "dev": 4, "test": 4, "labels": 4},
    "encoder": {"type": "intra_inter_transformer", "width": 8, "heads": 2, "dropout": 0.0},
    "fusion": {"type": "hierarchical_gated"},
    "classifier": {"type": "linear"},
    "losses": {
        "task": {"type": "cross_entropy", "class_weights": "inverse_frequency"},
        "distill": {"type": "self_distillation", "dropout": 0.0, "weight": {"hard": 0.5, "soft": 2.0}},
        "focal": {"type": "focal", "class_weights": [1.0, 2.0, 3.0, 4.0]},
    },
    "trainer": {"epochs": 2, "batch_dialogues": 2, "optimizer": {"lr": 0.01}, "device": "cpu"},
    "protocol": {"seeds": 1},
}


@pytest.fixture
def load(tmp_path):
    """Load a variation of a tiny recipe."""

    def make(*overrides, **options):
        (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
        return recipes.load(tmp_path / "tiny.yaml", overrides, **options)

    return make


def unscored(dialogues):
    return [replace(d, labels=torch.full_like(d.labels, -1)) for d in dialogues]


def doubled(batch):
    return replace(batch, features={m: x.double() for m, x in batch.features.items()})


def gradients(learner, groups):
    """Of one step over these groups of dialogues, a batch each."""
    learner.zero_grad()
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.0)
    Step(learner, optimizer, FP32, FP32.scaler())([doubled(collate(group)) for group in groups])
    return {name: p.grad.clone() for name, p in learner.named_parameters()}


@pytest.mark.parametrize("cut", ["equal", "uneven", "one without a scored utterance"])
def test_gradients_are_those_of_one_large_batch(load, cut):
    experiment = assemble(load())
    torch.manual_seed(0)
    learner = experiment.learner().double().train()
    train = [experiment.splits.train[i] for i in range(11)]
    groups = {
        "equal": [train[:4], train[4:8]],
        "uneven": [train[:7], train[7:8], train[8:]],
        "one without a scored utterance": [train[:2], unscored(train[2:4]), train[4:]],
    }[cut]
    together = gradients(learner, [[dialogue for group in groups for dialogue in group]])
    torch.testing.assert_close(gradients(learner, groups), together, rtol=0, atol=1e-10)
    means = [gradients(learner, [group]) for group in groups]  # what adding up divided losses would give
    name = next(name for name in together if name.startswith("model.classifier."))
    assert not torch.allclose(sum(g[name] for g in means) / len(means), together[name], atol=1e-4)


def test_a_run_of_small_batches_is_that_of_large_ones_up_to_rounding(load):
    states = [new_state(assemble(load(*changes)), 0, CPU) for changes in (["trainer.batch_dialogues=4"], ACCUMULATED)]
    for state, changes in zip(states, (["trainer.batch_dialogues=4"], ACCUMULATED), strict=True):
        fit(state, assemble(load(*changes)))
    (large, small), optimizers = (s.epochs for s in states), [s.optimizer.state_dict()["state"] for s in states]
    assert [int(o[0]["step"]) for o in optimizers] == [6, 6]  # 11 dialogues: of 4, 4 and 3; of 2+2, 2+2 and 2+1
    assert small[-1].loss == pytest.approx(large[-1].loss, rel=1e-4)
    assert small[-1].dev.confusion == large[-1].dev.confusion


ACCUMULATED = ["trainer.batch_dialogues=2", "trainer.accumulate=2"]


def test_the_last_group_holds_what_is_left():
    assert list(grouped(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(grouped([], 2)) == []


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_without_a_scored_utterance_nothing_moves(load, name):
    """Neither weight decay nor momentum do anything then."""
    experiment = assemble(load(f"trainer.optimizer={{name: {name}, lr: 0.1, weight_decay: 0.1}}"))
    state = new_state(experiment, 0, CPU)
    step = Step(state.learner, state.optimizer, FP32, FP32.scaler())
    train = [experiment.splits.train[i] for i in range(4)]
    step([collate(train)])
    before = {name: x.clone() for name, x in state.learner.state_dict().items()}
    (terms,) = step([collate(unscored(train))])
    assert all(torch.equal(x, before[name]) for name, x in state.learner.state_dict().items())
    assert {float(term.count) for term in terms.values()} == {0.0}
    step([collate(unscored(train[:2])), collate(train[2:])])
    assert not all(torch.equal(x, before[name]) for name, x in state.learner.state_dict().items())


def test_losses_that_compare_utterances_are_refused_with_their_place(load):
    with pytest.raises(InputError) as refused:
        load("trainer.accumulate=2", "losses.near={type: supervised_contrastive}")
    (problem,) = refused.value.problems
    assert (problem.where, problem.what) == ("command line", "trainer.accumulate")
    assert problem.message == (
        "must be 1 where a loss compares the utterances of a batch with each other, as 'near' does (got 2); "
        "a larger trainer.batch_dialogues shows it more of them"
    )
    load("losses.near={type: supervised_contrastive}")


SECRETIVE = '''
from ercframe import Loss, Term, hookimpl
from ercframe.nn import weighted_nll


class Secretive(Loss):
    """Weigh the utterances, and tell nobody."""

    name = "secretive"
    terms = ("nll",)

    def __init__(self, config, dataset, model):
        super().__init__()

    def forward(self, output, batch):
        term = weighted_nll(output.decision.logits[batch.scored], batch.labels[batch.scored])
        return {"nll": Term(3 * term.total, 3 * term.count)}


@hookimpl
def ercframe_components():
    return [Secretive]
'''


def test_a_loss_whose_counts_are_wrong_is_refused_where_they_are_needed(load, tmp_path):
    changes, plugin = (
        ["losses={task: {type: secretive}}", "losses.distill=null", "losses.focal=null"],
        tmp_path / "s.py",
    )
    plugin.write_text(SECRETIVE)
    preflight(assemble(load(*changes, plugin_files=[plugin])))
    with pytest.raises(InputError) as refused:
        preflight(assemble(load(*changes, "trainer.accumulate=2", plugin_files=[plugin])))
    (problem,) = refused.value.problems
    assert (problem.where, problem.what) == ("losses.task.nll", "counts")
    assert problem.message.startswith("must be what the term is divided by, ")


def test_a_loss_that_says_only_when_built_that_it_compares_utterances_is_refused(load, tmp_path):
    plugin = tmp_path / "s.py"
    plugin.write_text(SECRETIVE.replace("super().__init__()", "super().__init__()\n        self.couples_rows = True"))
    changes = ("losses={task: {type: secretive}}", "losses.distill=null", "losses.focal=null", "trainer.accumulate=2")
    with pytest.raises(InputError) as refused:
        preflight(assemble(load(*changes, plugin_files=[plugin])))
    (problem,) = refused.value.problems
    assert (problem.what, problem.message) == (
        "trainer.accumulate",
        "must be 1 where a loss compares the utterances of a batch with each other (got 2)",
    )
