"""The dialogue_rnn encoder: global, party and emotion states."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ercframe import DatasetInfo, Stream
from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.encoders.dialogue_rnn import DialogueRNNEncoder, FedGRUCell, attend

DATASET = example_dataset(2)
JOINT = Stream("joint", "joint")
SMALL = {"global_width": 5, "party_width": 4, "emotion_width": 3}


def build(dataset: DatasetInfo = DATASET, **config):
    return DialogueRNNEncoder(DialogueRNNEncoder.Config(**SMALL, **config), dataset).eval()


def encode(encoder, batch, speaker=None):
    context = batch.context if speaker is None else replace(batch.context, speaker=torch.as_tensor(speaker))
    return encoder(batch.features, context)


class TestCell:
    def test_it_is_a_gru_cell_with_its_input_in_two_pieces(self):
        cell, reference = FedGRUCell(known=3, fed=2, hidden=4), nn.GRUCell(5, 4)
        with torch.no_grad():
            cell.known.weight.copy_(reference.weight_ih[:, :3])
            cell.fed.weight.copy_(reference.weight_ih[:, 3:])
            cell.known.bias.copy_(reference.bias_ih)
            cell.hidden.weight.copy_(reference.weight_hh)
            cell.hidden.bias.copy_(reference.bias_hh)
        known, fed, state = torch.randn(6, 3), torch.randn(6, 2), torch.randn(6, 4)
        torch.testing.assert_close(cell(cell.known(known), fed, state), reference(torch.cat([known, fed], -1), state))

    def test_it_starts_like_one(self):
        for parameter in FedGRUCell(known=30, fed=20, hidden=16).parameters():
            assert 0.2 < parameter.abs().max() <= 0.25


class TestContext:
    def test_before_the_first_turn_it_is_zero_and_attached(self):
        query_RG = torch.randn(2, 3, requires_grad=True)
        context_RG = attend(query_RG, torch.zeros(2, 0, 3))
        assert context_RG.tolist() == [[0, 0, 0], [0, 0, 0]]
        context_RG.sum().backward()
        assert query_RG.grad is not None

    def test_after_one_turn_it_is_that_turn(self):
        history_RTG = torch.randn(2, 1, 3)
        torch.testing.assert_close(attend(torch.randn(2, 3), history_RTG), history_RTG[:, 0])


class TestSpeakers:
    @pytest.mark.parametrize("listener", [False, True])
    def test_their_numbering_does_not_matter(self, listener):
        encoder, batch = build(listener=listener), example_batch(DATASET, (5,))
        as_first = encode(encoder, batch, [0, 1, 0, 2, 1])[JOINT]
        renumbered = encode(encoder, batch, [2, 3, 2, 0, 3])[JOINT]  # 3 is "unknown"
        torch.testing.assert_close(as_first, renumbered)

    def test_who_speaks_matters(self):
        encoder, batch = build(), example_batch(DATASET, (4,))
        one = encode(encoder, batch, [0, 0, 0, 0])[JOINT]
        two = encode(encoder, batch, [0, 1, 0, 1])[JOINT]
        assert (one - two).abs().max() > 1e-4

    @pytest.mark.parametrize("listener", [False, True])
    def test_only_listeners_are_changed_by_what_others_say(self, listener):
        encoder = build(listener=listener, bidirectional=False, emotion_attention=False)
        speaker = encoder.models["joint"].directions[0]
        heard = []
        speaker.speaker.register_forward_hook(lambda cell, inputs, output: heard.append(inputs[2]))
        encode(encoder, example_batch(DATASET, (3,)), [0, 1, 2])
        states_before_speaking = torch.cat(heard[1:])
        assert bool(states_before_speaking.any()) == listener

    def test_any_number_of_them(self):
        few, many = build(replace(DATASET, speakers=6)), build(replace(DATASET, speakers=400))
        many.load_state_dict(few.state_dict())
        batch = example_batch(DATASET, (6,))
        as_few = encode(few, batch, [0, 1, 2, 3, 4, 5])[JOINT]
        torch.testing.assert_close(encode(many, batch, [399, 0, 17, 400, 5, 280])[JOINT], as_few)


class TestDirections:
    def test_causal_where_it_says_so(self):
        encoder, batch = build(bidirectional=False, emotion_attention=False), example_batch(DATASET, (5,))
        before = encode(encoder, batch)[JOINT]
        batch.features["text"][3] += 1
        after = encode(encoder, batch)[JOINT]
        assert not encoder.sees_future
        torch.testing.assert_close(before[:3], after[:3], rtol=0, atol=0)
        assert not torch.equal(before[3], after[3])

    @pytest.mark.parametrize("seeing", ["bidirectional", "emotion_attention"])
    def test_sees_the_future_otherwise(self, seeing):
        encoder = build(**({"bidirectional": False, "emotion_attention": False} | {seeing: True}))
        batch = example_batch(DATASET, (5,))
        before = encode(encoder, batch)[JOINT]
        batch.features["text"][4] += 1
        assert encoder.sees_future
        assert not torch.equal(before[0], encode(encoder, batch)[JOINT][0])

    def test_the_second_direction_is_the_first_one_run_backward(self):
        encoder, batch = build(emotion_attention=False), example_batch(DATASET, (5,))
        there, back = encoder.models["joint"].directions
        back.load_state_dict(there.state_dict())
        forward_NE, backward_NE = encode(encoder, batch)[JOINT].chunk(2, dim=-1)
        turned = replace(
            batch,
            features={m: x.flip(0) for m, x in batch.features.items()},
            context=replace(batch.context, speaker=batch.context.speaker.flip(0)),
        )
        turned_NE, _ = encode(encoder, turned)[JOINT].chunk(2, dim=-1)
        torch.testing.assert_close(backward_NE, turned_NE.flip(0))
        assert not torch.allclose(forward_NE, backward_NE)


@pytest.mark.parametrize("config", [{}, {"listener": True}, {"bidirectional": False}, {"per_modality": True}])
def test_a_dialogue_alone_is_as_in_a_batch(config):
    encoder = build(**config)
    together = encode(encoder, example_batch(DATASET, (4, 1, 6)))
    for stream, x_NE in encode(encoder, example_batch(DATASET, (4,))).items():
        torch.testing.assert_close(together[stream][:4], x_NE)


def test_per_modality_there_is_one_model_each():
    encoder, batch = build(per_modality=True), example_batch(DATASET, (3,), holes=False)
    before = encode(encoder, batch)
    assert list(before) == [Stream("text", "text"), Stream("audio", "audio")]
    batch.features["audio"][0] += 1
    after = encode(encoder, batch)
    torch.testing.assert_close(before.intra("text"), after.intra("text"), rtol=0, atol=0)
    assert not torch.equal(before.intra("audio"), after.intra("audio"))


def test_a_modality_that_is_not_recurrent_gets_a_linear_map_and_no_context():
    encoder, batch = build(per_modality=True, recurrent=["audio"]), example_batch(DATASET, (3,), holes=False)
    streams = encode(encoder, batch)
    assert list(streams) == [Stream("text", "text"), Stream("audio", "audio")]
    torch.testing.assert_close(streams.intra("text"), encoder.linear["text"](batch.features["text"]))
    assert list(encoder.models) == ["audio"]
    assert encoder.sees_future
    assert not build(per_modality=True, recurrent=[]).sees_future


def test_a_projected_model_reads_the_linear_map():
    encoder, batch = build(per_modality=True, project=7), example_batch(DATASET, (4,))
    model, (speaker, layout) = encoder.models["text"], (batch.context.speaker, batch.context.layout)
    found, project = encode(encoder, batch).intra("text"), model.project
    model.project = None
    torch.testing.assert_close(found, model(project(batch.features["text"]), speaker, layout))
    assert project.out_features == 7


def test_recurrent_must_name_modalities_that_there_are():
    with pytest.raises(ValueError, match=r"^recurrent must name modalities among text, audio \(got smell\)$"):
        build(per_modality=True, recurrent=["text", "smell"])


def test_recurrent_is_refused_where_there_is_one_model_for_all():
    with pytest.raises(
        ValueError, match="recurrent chooses among models for each modality: it needs per_modality=true"
    ):
        build(recurrent=["text"])


def test_features_are_joined_in_the_order_of_the_corpus():
    encoder, batch = build(), example_batch(DATASET, (3,))
    turned = dict(reversed(batch.features.items()))
    torch.testing.assert_close(encoder(turned, batch.context)[JOINT], encode(encoder, batch)[JOINT], rtol=0, atol=0)


@pytest.mark.parametrize("listener", [False, True])
def test_dialogues_of_one_turn_train_all_but_what_later_turns_read(listener):
    encoder, batch = build(listener=listener), example_batch(DATASET, (1, 1, 1), holes=False)
    encode(encoder, batch)[JOINT].square().sum().backward()
    without = {name for name, parameter in encoder.named_parameters() if parameter.grad is None}
    assert without == set(encoder.may_be_idle)
    assert any(".listener." in name for name in without) == listener


def test_dropout_in_the_recurrence_is_for_training_only():
    encoder = build(recurrent_dropout=0.5, dropout=0.0)
    batch = example_batch(DATASET, (6,))
    torch.testing.assert_close(encode(encoder, batch)[JOINT], encode(encoder, batch)[JOINT], rtol=0, atol=0)
    encoder.train()
    assert not torch.equal(encode(encoder, batch)[JOINT], encode(encoder, batch)[JOINT])
