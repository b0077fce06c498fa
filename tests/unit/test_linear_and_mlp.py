"""The classifiers that read the joint representation."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from ercframe import FusedSpec, FusionOutput
from ercframe.nn import Dropout
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.classifiers.linear import LinearClassifier
from ercframe_plugins.classifiers.mlp import MLPClassifier

# Shape letters: N utterances in the batch, D features.

DATASET = example_dataset()
CONTEXT = example_batch(DATASET).context
JOINT_ND = torch.arange(-42.0, 42.0).reshape(14, 6)


def build(kind, **settings):
    return kind(kind.Config(**settings), DATASET, FusedSpec(6))


def logits(classifier, joint_ND=JOINT_ND):
    return classifier(FusionOutput(joint_ND), CONTEXT).logits


def layers(classifier):
    return [type(layer) for layer in classifier.layers]


def test_a_linear_classifier_is_linear():
    classifier = build(LinearClassifier)
    a, b = torch.randn(2, 14, 6)
    bias = logits(classifier, torch.zeros(14, 6))
    torch.testing.assert_close(logits(classifier, a + b), logits(classifier, a) + logits(classifier, b) - bias)
    assert bias.shape == (14, 4)


def test_linear_drops_its_input_only_where_asked_for_and_in_training():
    quiet = build(LinearClassifier)
    assert torch.equal(logits(quiet.train()), logits(quiet.eval()))
    dropping = build(LinearClassifier, dropout=0.5)
    assert not torch.equal(logits(dropping.train()), logits(dropping.eval()))


def test_each_hidden_layer_is_followed_by_relu_and_dropout():
    classifier = build(MLPClassifier, hidden=[5, 3])
    expected = [nn.Linear, nn.ReLU, Dropout, nn.Linear, nn.ReLU, Dropout, nn.Linear]
    assert layers(classifier) == expected
    assert [x.out_features for x in classifier.layers if isinstance(x, nn.Linear)] == [5, 3, 4]


def test_without_hidden_layers_it_is_linear():
    assert layers(build(MLPClassifier, hidden=[])) == [nn.Linear]


def test_an_activated_input_hides_what_is_negative():
    classifier = build(MLPClassifier, hidden=[], activate_input=True).eval()
    assert layers(classifier) == [nn.ReLU, Dropout, nn.Linear]
    assert torch.equal(logits(classifier, JOINT_ND.relu()), logits(classifier))
    assert not torch.equal(logits(classifier, JOINT_ND.abs()), logits(classifier))


@pytest.mark.parametrize("settings", [{"hidden": [0]}, {"dropout": 1.0}, {"hidden": 5}])
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        MLPClassifier.Config(**settings)
