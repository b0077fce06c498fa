"""The probe finds silent faults, names them, and leaves no trace."""

import re

import pytest
import torch
from torch import nn

from ercframe import (
    Classifier,
    Decision,
    Dialogue,
    Encoder,
    FusedSpec,
    Fusion,
    FusionOutput,
    InputError,
    Loss,
    Stream,
    Streams,
    StreamSpec,
    Term,
    Utterance,
)
from ercframe.model import Learner, Model
from ercframe.objective import Objective
from ercframe.probe import probe, probe_batch

MODALITIES = ("text", "audio")
CLASSES = 2


class Own(Encoder):
    """Each modality's own stream, and one cross stream."""

    name = "own"
    unread_help = "encoder.cross=false emits none"

    def __init__(self, cross=False):
        super().__init__()
        pairs = [(m, m) for m in MODALITIES] + ([("text", "audio")] if cross else [])
        self.spec = StreamSpec({Stream(*pair): 4 for pair in pairs})
        self.linear = nn.ModuleDict({f"{t}_{s}": nn.Linear(3, 4) for t, s in pairs})
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, features, context):
        x = {m: self.dropout(self.norm(f)) for m, f in features.items()}
        return Streams({s: self.linear[f"{s.target}_{s.source}"](x[s.source]) for s in self.spec.widths})


class Added(Fusion):
    """The sum of the own streams."""

    name = "added"

    def __init__(self):
        super().__init__()
        self.spec = FusedSpec(4, dict.fromkeys(MODALITIES, 4))

    def forward(self, streams, context):
        own = {m: streams.intra(m) for m in MODALITIES}
        return FusionOutput(sum(own.values()), own)


class Linear(Classifier):
    """One linear layer."""

    name = "linear"

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, fused, context):
        return Decision(self.linear(fused.joint))


class CrossEntropy(Loss):
    """Plain cross-entropy."""

    name = "cross_entropy"
    terms = ("nll",)

    def forward(self, output, batch):
        logits, labels = output.decision.logits[batch.scored], batch.labels[batch.scored]
        return {"nll": Term(nn.functional.cross_entropy(logits, labels, reduction="sum"), torch.tensor(len(labels)))}


def learner(encoder=None, fusion=None, classifier=None, loss=None) -> Learner:
    model = Model(encoder or Own(), fusion or Added(), classifier or Linear())
    return Learner(model, Objective({"task": loss or CrossEntropy()}, {"task": 1.0}))


def dialogues(*lengths: int, label: int = 1) -> list[Dialogue]:
    return [
        Dialogue(
            id=f"d{i}",
            features={m: torch.randn(n, 3) for m in MODALITIES},
            available={m: torch.ones(n, dtype=torch.bool) for m in MODALITIES},
            speaker=torch.zeros(n, dtype=torch.long),
            labels=torch.full((n,), label),
            utterances=[Utterance(f"u{j}") for j in range(n)],
        )
        for i, n in enumerate(lengths)
    ]


@pytest.fixture
def batch():
    return probe_batch(dialogues(3, 5))


def problems(learner, batch):
    with pytest.raises(InputError) as caught:
        probe(learner, batch, CLASSES)
    return [(p.where, p.what, p.message) for p in caught.value.problems]


def test_parts_that_fit_pass(batch):
    assert probe(learner(), batch, CLASSES) == []


def test_random_state_buffers_gradients_and_mode_are_as_before(batch):
    one = learner().eval()
    state = {name: x.clone() for name, x in one.state_dict().items()}
    before = torch.get_rng_state()
    probe(one, batch, CLASSES)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(x, state[name]) for name, x in one.state_dict().items())
    assert all(p.grad is None for p in one.parameters())
    assert not one.training


def test_streams_that_nobody_reads_are_named_with_the_encoders_help(batch):
    (found,) = problems(learner(Own(cross=True)), batch)
    assert found == (
        "fusion 'added'",
        "streams",
        "nobody reads 1 of the 3 streams of encoder 'own': text←audio; what computes them would never be trained. "
        "Choose a fusion that reads them, or fewer streams: encoder.cross=false emits none",
    )


class Spare(Linear):
    """Has a layer that forward does not use."""

    name = "spare"

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)


def test_parameters_out_of_reach_are_named(batch):
    (found,) = problems(learner(classifier=Spare()), batch)
    assert found[:2] == ("classifier 'spare'", "unused.weight, unused.bias")
    assert "no gradient reaches it" in found[2]


def test_parameters_declared_idle_pass(batch):
    spare = Spare()
    spare.may_be_idle = {"unused.weight": "kept for later", "unused.bias": "kept for later"}
    assert probe(learner(classifier=spare), batch, CLASSES) == []


class Detached(Added):
    """Cuts the graph."""

    name = "detached"

    def forward(self, streams, context):
        whole = super().forward(streams, context)
        return FusionOutput(whole.joint.detach() + 0 * whole.joint, whole.by_modality)


def test_all_zero_gradients_are_a_warning(batch):
    warnings = probe(learner(fusion=Detached()), batch, CLASSES)
    assert "the gradient of model.encoder.linear.text_text.weight was all zeros in the probe" in warnings


class Wide(Added):
    """Returns one feature more than it promises."""

    name = "wide"

    def forward(self, streams, context):
        whole = super().forward(streams, context)
        return FusionOutput(whole.joint, {m: torch.cat([x, x[:, :1]], dim=-1) for m, x in whole.by_modality.items()})


def test_a_broken_promise_of_width_is_named(batch):
    found = problems(learner(fusion=Wide()), batch)
    assert ("fusion 'wide'", "by_modality[text]", "must have shape (8, 4) (got (8, 5))") in found


class Infinite(Added):
    """Divides by zero."""

    name = "infinite"

    def forward(self, streams, context):
        whole = super().forward(streams, context)
        return FusionOutput(whole.joint / 0, whole.by_modality)


def test_values_that_are_not_finite_are_named(batch):
    assert ("fusion 'infinite'", "joint", "must be finite (got NaN or Inf)") in problems(
        learner(fusion=Infinite()), batch
    )


class Miscounting(Linear):
    """Scores one emotion too many, or too few, than there are."""

    name = "miscounting"

    def __init__(self, classes):
        super().__init__()
        self.linear = nn.Linear(4, classes)


@pytest.mark.parametrize("classes", [1, 3])
def test_a_classifier_must_score_every_emotion_and_no_other(batch, classes):
    assert problems(learner(classifier=Miscounting(classes)), batch) == [
        ("classifier 'miscounting'", "logits", f"must have shape (8, 2) (got (8, {classes}))")
    ]


class Steep(Added):
    """Finite itself, with an infinite slope."""

    name = "steep"

    def forward(self, streams, context):
        whole = super().forward(streams, context)
        return FusionOutput(whole.joint + (0 * whole.joint).sqrt(), whole.by_modality)


def test_gradients_that_are_not_finite_are_named(batch):
    (found,) = problems(learner(fusion=Steep()), batch)
    assert found[:2] == ("encoder 'own'", "gradients")
    assert found[2].startswith("must be finite (got NaN or Inf in 6, the first that of linear.text_text.weight")


class Lazy(Own):
    """Makes a buffer when it first needs one."""

    name = "lazy"

    def forward(self, features, context):
        self.register_buffer("table", torch.ones(3), persistent=False)
        return super().forward({m: x * self.table for m, x in features.items()}, context)


def test_a_buffer_that_forward_makes_may_stay(batch):
    assert probe(learner(Lazy()), batch, CLASSES) == []


class Misnamed(CrossEntropy):
    """Returns a term it did not declare."""

    name = "misnamed"

    def forward(self, output, batch):
        return {"nil": super().forward(output, batch)["nll"]}


def test_a_term_that_was_not_declared_is_named(batch):
    found = problems(learner(loss=Misnamed()), batch)
    assert found == [("loss 'misnamed'", "nil", "must begin with one of its declared terms ['nll']")]


class Forgetful(Own):
    """Emits fewer streams than its spec says."""

    name = "forgetful"

    def forward(self, features, context):
        whole = super().forward(features, context)
        return Streams({s: x for s, x in whole.items() if s.target == "text"})


def test_streams_that_differ_from_the_spec_are_named(batch):
    found = problems(learner(Forgetful()), batch)
    assert found == [("encoder 'forgetful'", "streams", "must be text, audio as its spec says (got text)")]


def test_an_encoder_without_parameters_has_none_to_reach(batch):
    class Through(Encoder):
        """Features as streams."""

        name = "through"
        spec = StreamSpec({Stream(m, m): 3 for m in MODALITIES})

        def forward(self, features, context):
            return Streams({Stream(m, m): x for m, x in features.items()})

    class Three(Added):
        """The sum, three wide."""

        name = "three"

        def __init__(self):
            super().__init__()
            self.spec = FusedSpec(3, dict.fromkeys(MODALITIES, 3))

    class Narrow(Linear):
        """Reads three features."""

        name = "narrow"

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

    assert probe(learner(Through(), Three(), Narrow()), batch, CLASSES) == []


def test_the_probe_batch_has_scored_dialogues_of_about_eight_turns():
    unscored, scored = dialogues(8, label=-1), dialogues(1, 40, 9, 7, 100, 6)
    chosen = probe_batch([*unscored, *scored])
    assert sorted(chosen.context.layout.sizes) == [1, 6, 7, 9]


class Raises(Added):
    """Fails."""

    name = "raises"

    def forward(self, streams, context):
        raise KeyError("nothing of this name")


class Bare(Added):
    """Returns the tensor alone."""

    name = "bare"

    def forward(self, streams, context):
        return super().forward(streams, context).joint


class Narrower(Added):
    """Its joint representation is narrower than it promises, which the classifier would trip over."""

    name = "narrower"

    def forward(self, streams, context):
        whole = super().forward(streams, context)
        return FusionOutput(whole.joint[:, :2], whole.by_modality)


def test_a_forward_that_fails_is_told_with_its_place(batch):
    ((who, what, message),) = problems(learner(fusion=Raises()), batch)
    assert (who, what) == ("fusion 'raises'", "forward")
    assert message.startswith("must not fail: KeyError: 'nothing of this name' (")
    assert re.search(r"test_probe\.py:\d+, in forward\)$", message)


class Stumbles(CrossEntropy):
    """Asks for what this fusion does not hand on."""

    def forward(self, output, batch):
        return {"nll": output.fused.extras["without_text"]}


class Complains(CrossEntropy):
    """Says itself what it lacks."""

    def forward(self, output, batch):
        raise InputError("complains needs a fusion that hands on 'without_text'")


def test_a_loss_that_fails_is_told_with_its_place_and_one_that_explains_itself_is_heard(batch):
    ((where, what, message),) = problems(learner(loss=Stumbles()), batch)
    assert (where, what) == ("losses.task", "forward")
    assert message.startswith("must not fail: KeyError: 'without_text' (")
    with pytest.raises(InputError, match=r"^complains needs a fusion that hands on 'without_text'$"):
        probe(learner(loss=Complains()), batch, CLASSES)


def test_a_forward_that_returns_something_else_is_told_what_it_must_return(batch):
    assert problems(learner(fusion=Bare()), batch) == [
        ("fusion 'bare'", "forward", "must return FusionOutput (got Tensor)")
    ]


def test_a_wrong_width_is_the_fusions_fault_and_not_the_classifiers(batch):
    assert problems(learner(fusion=Narrower()), batch) == [
        ("fusion 'narrower'", "joint", "must have shape (8, 4) (got (8, 2))")
    ]
