"""The bilstm encoder: bc-LSTM's context, one network per modality."""

import pytest
import torch

from ercframe import Stream
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.encoders.bilstm import BiLSTMEncoder

DATASET = example_dataset(3)


def build(**config):
    return BiLSTMEncoder(BiLSTMEncoder.Config(hidden=4, **config), DATASET).eval()


def encode(encoder, batch):
    return encoder(batch.features, batch.context)


@pytest.mark.parametrize("attention", ["none", "matching"])
def test_a_dialogue_alone_is_as_in_a_batch(attention):
    encoder = build(attention=attention)
    together = encode(encoder, example_batch(DATASET, (4, 1, 6)))
    alone = encode(encoder, example_batch(DATASET, (4,)))
    for stream, x_ND in alone.items():
        torch.testing.assert_close(together[stream][:4], x_ND)


def test_only_the_modalities_named_hear_the_dialogue():
    encoder, batch = build(recurrent=("text",)), example_batch(DATASET, (5,), holes=False)
    before = encode(encoder, batch)
    for x_ND in batch.features.values():
        x_ND[4] += 1
    after = encode(encoder, batch)
    assert not torch.equal(before.intra("text")[:4], after.intra("text")[:4])
    for m in ("audio", "visual"):
        torch.testing.assert_close(before.intra(m)[:4], after.intra(m)[:4], rtol=0, atol=0)
        assert not torch.equal(before.intra(m)[4], after.intra(m)[4])


def test_every_stream_has_the_width_of_both_directions():
    streams = encode(build(recurrent=("audio",), project=7), example_batch(DATASET))
    assert list(streams) == [Stream(m, m) for m in DATASET.modalities]
    assert {x.shape[1] for x in streams.values()} == {8}


def test_without_any_recurrence_it_does_not_see_the_future():
    assert build().sees_future
    assert not build(recurrent=()).sees_future


def test_the_projection_feeds_the_lstm():
    encoder = build(project=7, recurrent=("text",))
    assert encoder.recurrent["text"].project.weight.shape == (7, DATASET.modalities["text"])
    assert encoder.recurrent["text"].context.lstm.input_size == 7
    assert set(encoder.linear) == {"audio", "visual"}


def test_one_layer_takes_a_dropout_setting_without_complaint():
    assert build(layers=1, dropout=0.5).recurrent["text"].context.lstm.num_layers == 1


def test_attention_replaces_the_output_of_the_lstm():
    torch.manual_seed(1)
    plain = build()
    attending = build(attention="matching")
    attending.load_state_dict(plain.state_dict(), strict=False)
    batch = example_batch(DATASET, (3,))
    before_ND, after_ND = (encode(e, batch).intra("text") for e in (plain, attending))
    weights_LL = torch.linalg.lstsq(before_ND.T.double(), after_ND.T.double()).solution.T
    torch.testing.assert_close(weights_LL.sum(-1), torch.ones(3).double(), rtol=0, atol=1e-4)
    assert (weights_LL > 0).all()


def test_an_unknown_modality_is_refused():
    with pytest.raises(
        ValueError, match=r"^recurrent must name modalities among text, audio, visual \(got txt, video\)$"
    ):
        build(recurrent=("txt", "audio", "video"))
