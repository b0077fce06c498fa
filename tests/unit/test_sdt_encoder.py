"""The encoder of SDT: which streams, who hears whom, what is added and dropped where."""

import math
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from ercframe import DatasetInfo, Layout, Stream
from ercframe.nn import Visibility, sinusoidal_positions
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.encoders.intra_inter_transformer import IntraInterTransformer
from ercframe_plugins.encoders.pair_transformers import PairTransformer

# Shape letters: N utterances in the batch, D features.


def build(modalities=3, **settings):
    dataset = example_dataset(modalities)
    encoder = IntraInterTransformer(IntraInterTransformer.Config(**{"width": 8, "heads": 2} | settings), dataset)
    return encoder.eval(), dataset


def run(encoder, batch, **features):
    return encoder(dict(batch.features) | features, batch.context)


def names(encoder):
    return [str(stream) for stream in encoder.spec.widths]


def test_each_target_has_its_own_stream_first_then_the_others_in_order():
    encoder, dataset = build()
    expected = ["text", "text←audio", "text←visual", "audio", "audio←text", "audio←visual"]
    assert names(encoder) == [*expected, "visual", "visual←text", "visual←audio"]
    assert list(run(encoder, example_batch(dataset))) == list(encoder.spec.widths)


def test_intra_emits_own_streams_only():
    encoder, dataset = build(streams="intra")
    assert names(encoder) == ["text", "audio", "visual"]
    assert len(run(encoder, example_batch(dataset))) == 3


def test_inter_emits_only_what_comes_from_another_modality():
    encoder, dataset = build(streams="inter")
    assert names(encoder) == [
        *("text←audio", "text←visual"),
        *("audio←text", "audio←visual"),
        *("visual←text", "visual←audio"),
    ]
    assert len(run(encoder, example_batch(dataset))) == 6


def test_inter_needs_another_modality():
    with pytest.raises(ValueError, match=r"^streams=inter must have two modalities or more \(got pose\)$"):
        build({"pose": 2}, streams="inter")


@pytest.mark.parametrize("modalities", [{"pose": 2}, {"a": 3, "b": 1, "c": 5, "d": 2}])
def test_any_set_of_modalities(modalities):
    encoder, dataset = build(modalities)
    batch = example_batch(dataset, holes=False)
    streams = run(encoder, batch)
    assert len(streams) == len(modalities) ** 2
    assert all(x.shape == (len(batch.labels), 8) for x in streams.values())


def test_a_stream_depends_on_target_and_source_alone():
    encoder, dataset = build()
    batch = example_batch(dataset)
    before, after = run(encoder, batch), run(encoder, batch, audio=batch.features["audio"] + 1)
    changed = {str(stream) for stream in before if not torch.equal(before[stream], after[stream])}
    assert changed == {name for name in names(encoder) if "audio" in name}


def test_heads_must_divide_the_width():
    with pytest.raises(ValidationError, match=r"width must be divisible by heads \(got width 10, heads 4\)"):
        IntraInterTransformer.Config(width=10, heads=4)


@pytest.mark.parametrize("window", [{"past": -1}, {"future": 1.5}, {"ahead": 2}])
def test_a_wrong_window_is_refused(window):
    with pytest.raises(ValidationError):
        IntraInterTransformer.Config(window=window)


@pytest.mark.parametrize(
    ("window", "past", "future"),
    [
        (None, 99, 99),
        ({"past": 2, "future": 1}, 2, 1),
        ({"past": 0}, 0, 99),
        ({"future": 0}, 99, 0),
        ({"past": 0, "future": 0}, 0, 0),
    ],
)
@pytest.mark.parametrize("stream", [Stream("text", "text"), Stream("text", "audio")])
def test_an_utterance_hears_the_window_of_its_dialogue_and_nothing_else(window, past, future, stream):
    encoder, dataset = build(2, window=window)
    batch = example_batch(dataset, holes=False)
    source_ND = batch.features[stream.source].clone().requires_grad_()
    y_ND = run(encoder, batch, **{stream.source: source_ND})[stream]
    direction_D = torch.randn(y_ND.shape[1])
    slopes = [torch.autograd.grad(y_D @ direction_D, source_ND, retain_graph=True)[0] for y_D in y_ND]
    heard_NN = torch.stack(slopes).abs().sum(-1) > 0
    layout = batch.context.layout
    ahead_NN = layout.position[None, :] - layout.position[:, None]
    expected_NN = (layout.dialogue[None, :] == layout.dialogue[:, None]) & (ahead_NN >= -past) & (ahead_NN <= future)
    assert torch.equal(heard_NN, expected_NN)


@pytest.mark.parametrize(
    ("window", "sees"), [(None, True), ({"past": 3}, True), ({"future": 1}, True), ({"past": 3, "future": 0}, False)]
)
def test_the_future_is_seen_unless_the_window_ends_at_the_present(window, sees):
    assert build(window=window)[0].sees_future is sees


def test_without_positions_the_order_of_utterances_does_not_matter():
    batch = example_batch(example_dataset(), lengths=(7,))
    order = torch.randperm(7)
    context = replace(batch.context, speaker=batch.context.speaker[order])
    for positions in (False, True):
        encoder, _ = build(position_embedding=positions)
        before = run(encoder, batch)
        after = encoder({m: x[order] for m, x in batch.features.items()}, context)
        same = all(torch.allclose(after[s], before[s][order], atol=1e-5) for s in before)
        assert same is not positions


@pytest.mark.parametrize("embedding", [True, False])
def test_the_speaker_matters_where_it_is_embedded(embedding):
    encoder, dataset = build(speaker_embedding=embedding)
    batch = example_batch(dataset)
    other = replace(batch.context, speaker=(batch.context.speaker + 1) % dataset.speakers)
    before, after = run(encoder, batch), encoder(batch.features, other)
    assert all(torch.equal(before[s], after[s]) is not embedding for s in before)


def test_the_unknown_speaker_starts_at_zero_and_the_others_do_not():
    rows = build()[0].speaker.weight
    assert len(rows) == example_dataset().speakers + 1
    assert not rows[-1].any()
    assert (rows[:-1].abs().sum(-1) > 0).all()


def test_speakers_and_positions_reach_an_utterance_that_lacks_everything():
    encoder, dataset = build(1)
    batch = example_batch(dataset, lacking=("text",))
    text = run(encoder, batch)[Stream("text", "text")]
    assert torch.isfinite(text).all()
    assert len(text.unique(dim=0)) == len(text)


@pytest.mark.parametrize(("own", "draws"), [(True, 1), (False, 2)])
def test_inputs_are_dropped_once_where_they_are_one_and_apart_where_they_are_two(own, draws):
    # The same tensor for both: the structure decides, not the values.
    pair, layout = PairTransformer(8, 2, dropout=0.5, own=own), Layout.from_lengths([3])
    x_ND, dropped = torch.randn(3, 8), []
    pair.dropout.register_forward_hook(lambda module, inputs, output: dropped.append(inputs[0]))
    pair(x_ND, x_ND, Visibility.within(layout))
    assert sum(torch.equal(x, x_ND) for x in dropped) == draws
    assert len(dropped) == draws + 1  # and what was attended to


def test_dropout_is_for_training_only():
    encoder, dataset = build(dropout=0.5)
    batch = example_batch(dataset)
    quiet = run(encoder, batch)
    assert all(torch.equal(x, quiet[s]) for s, x in run(encoder, batch).items())
    encoder.train()
    assert not any(torch.equal(x, quiet[s]) for s, x in run(encoder, batch).items())


def test_a_dialogue_may_be_longer_than_512_utterances():
    encoder, dataset = build(1)
    text = run(encoder, example_batch(dataset, lengths=(600,)))[Stream("text", "text")]
    assert text.shape == (600, 8)
    assert torch.isfinite(text).all()


def test_positions_are_exact_in_float64_at_any_length():
    table_LD = sinusoidal_positions(5001, 6, like=torch.zeros((), dtype=torch.float64))
    expected = [f(5000 / 10000 ** (2 * i / 6)) for i in range(3) for f in (math.sin, math.cos)]
    assert table_LD.dtype == torch.float64
    torch.testing.assert_close(table_LD[5000], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-11)


def test_positions_of_a_long_dialogue_differ_in_half_precision():
    table_LD = sinusoidal_positions(600, 16, like=torch.zeros((), dtype=torch.bfloat16))
    assert table_LD.dtype == torch.bfloat16
    assert len(table_LD.unique(dim=0)) == 600


def test_an_odd_width_ends_with_a_sine():
    even, odd = (sinusoidal_positions(4, width, like=torch.zeros(())) for width in (1, 3))
    assert even.shape == (4, 1)
    torch.testing.assert_close(odd[:, 2], torch.sin(torch.arange(4) / 10000 ** (2 / 3)))


def test_an_encoder_needs_no_speaker_at_all():
    dataset = DatasetInfo("monologues", ("a", "b"), {"text": 3}, speakers=0)
    encoder = IntraInterTransformer(IntraInterTransformer.Config(width=4, heads=1), dataset)
    context = replace(example_batch(example_dataset(1)).context, speaker=torch.zeros(14, dtype=torch.long))
    assert encoder({"text": torch.randn(14, 3)}, context).intra("text").shape == (14, 4)
