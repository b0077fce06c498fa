"""Modality dropout: how often, for whom, and that something is always left."""

import pytest
import torch

from ercframe.testing import example_batch, example_dataset
from ercframe_plugins.transforms.modality_dropout import ModalityDropout

MANY = (40, 1, 60, 99)
DATASET = example_dataset()


def dropout(dataset=DATASET, **settings):
    return ModalityDropout(ModalityDropout.Config(**settings), dataset)


def run(batch, seed=0, dataset=DATASET, **settings):
    return dropout(dataset, **settings).forward(batch, torch.Generator().manual_seed(seed))


def stacked(flags):
    """Availability or hiding as one tensor, ``(N, M)``."""
    return torch.stack(list(flags.values()), dim=-1)


def share_hidden(modality, rate, **settings):
    batch = example_batch(DATASET, (500,) * 4, holes=False)
    return float(run(batch, rates={modality: rate}, **settings).hidden[modality].float().mean())


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_each_modality_is_hidden_at_its_rate(rate):
    assert share_hidden("audio", rate) == pytest.approx(rate, abs=0.03)


def test_modalities_without_a_rate_stay():
    batch = example_batch(DATASET, MANY)
    changed = run(batch, rates={"audio": 1.0})
    for m in ("text", "visual"):
        assert torch.equal(changed.features[m], batch.features[m])
        assert torch.equal(changed.context.available[m], batch.context.available[m])
        assert not changed.hidden[m].any()


def test_one_rate_stands_for_all():
    batch = example_batch(DATASET, MANY)
    each = run(batch, rates=dict.fromkeys(DATASET.modalities, 0.4))
    for m, hidden in run(batch, rates=0.4).hidden.items():
        assert torch.equal(hidden, each.hidden[m])


@pytest.mark.parametrize("per", ["utterance", "dialogue"])
@pytest.mark.parametrize("holes", [False, True])
def test_who_had_something_keeps_something(per, holes):
    batch = example_batch(DATASET, MANY, holes=holes)
    had = stacked(batch.context.available).any(-1)
    for seed in range(5):
        has = stacked(run(batch, seed, rates=1.0, per=per).context.available)
        assert torch.equal(has.any(-1), had)
        assert torch.equal(has.sum(-1), had.long())  # at rate 1, exactly one is left


def test_the_kept_modality_is_drawn_evenly():
    batch = example_batch(DATASET, (900,), holes=False)
    kept = stacked(run(batch, rates=1.0).context.available).float().mean(0)
    assert kept.tolist() == pytest.approx([1 / 3] * 3, abs=0.05)


def test_hidden_rows_are_zeros_and_the_others_stay():
    batch = example_batch(DATASET, MANY)
    changed = run(batch, rates=0.5)
    for m, hidden in changed.hidden.items():
        assert hidden.any()
        assert not changed.features[m][hidden].any()
        assert torch.equal(changed.features[m][~hidden], batch.features[m][~hidden])


def test_what_was_missing_before_is_not_hidden():
    batch = example_batch(DATASET, MANY, lacking=("text",))
    assert not run(batch, rates=1.0).hidden["text"].any()


def test_per_dialogue_all_utterances_share_the_draw():
    batch = example_batch(DATASET, (50,) * 40, holes=False)
    hidden = run(batch, rates={"text": 0.5}, per="dialogue").hidden["text"].view(40, 50)
    assert torch.equal(hidden.any(1), hidden.all(1))
    assert 5 < int(hidden.all(1).sum()) < 35


def test_per_utterance_they_do_not():
    batch = example_batch(DATASET, (50,) * 4, holes=False)
    hidden = run(batch, rates={"text": 0.5}).hidden["text"].view(4, 50)
    assert not torch.equal(hidden.any(1), hidden.all(1))


def test_a_single_modality_is_never_hidden():
    dataset = example_dataset(1)
    batch = example_batch(dataset, MANY)
    changed = run(batch, dataset=dataset, rates=1.0)
    assert not changed.hidden["text"].any()
    assert torch.equal(changed.features["text"], batch.features["text"])


def test_earlier_hiding_stays_recorded():
    batch = example_batch(DATASET, MANY, holes=False)
    once = run(batch, seed=1, rates={"text": 0.5})
    twice = run(once, seed=2, rates={"text": 0.5, "audio": 0.5})
    assert torch.equal(twice.hidden["text"] & once.hidden["text"], once.hidden["text"])
    assert int(twice.hidden["text"].sum()) > int(once.hidden["text"].sum())


def test_unknown_modality_is_refused():
    with pytest.raises(
        ValueError, match=r"rates must name modalities of the data, text, audio, visual \(got 'smell'\)"
    ):
        dropout(rates={"smell": 0.5})


@pytest.mark.parametrize("rates", [-0.1, 1.1, {"text": 2}])
def test_rate_out_of_range_is_refused(rates):
    with pytest.raises(ValueError, match="than or equal to"):
        ModalityDropout.Config(rates=rates)
