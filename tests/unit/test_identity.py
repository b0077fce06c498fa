"""The identity encoder: no context at all."""

import torch

from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.encoders.identity import IdentityEncoder

DATASET = example_dataset({"text": 5, "pose": 2})


def build(**config):
    return IdentityEncoder(IdentityEncoder.Config(**config), DATASET)


def test_features_pass_unchanged_with_widths_of_their_own():
    encoder, batch = build(), example_batch(DATASET)
    streams = encoder(batch.features, batch.context)
    for m, x_ND in batch.features.items():
        assert streams.intra(m) is x_ND
    assert encoder.spec.own_widths() == {"text": 5, "pose": 2}
    assert not list(encoder.parameters())


def test_with_a_width_each_modality_gets_a_map_of_its_own():
    encoder, batch = build(width=3), example_batch(DATASET)
    streams = encoder(batch.features, batch.context)
    assert encoder.spec.width == 3
    for m, x_ND in batch.features.items():
        torch.testing.assert_close(streams.intra(m), encoder.maps[m](x_ND))
        assert encoder.maps[m].weight.shape == (3, x_ND.shape[1])


def test_it_does_not_see_the_future():
    assert not build().sees_future
