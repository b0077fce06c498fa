"""The made-up conversations of the suite hold what is awkward, and the same every time."""

import pytest
import torch

from ercframe.testing import example_batch, example_dataset, example_dialogues
from ercframe.testing.trial import stand_in


@pytest.mark.parametrize("modalities", [1, 2, 3, {"smell": 2, "taste": 7}])
def test_batch_has_every_awkward_case(modalities):
    dataset = example_dataset(modalities)
    batch = example_batch(dataset)
    available = torch.stack(list(batch.context.available.values()), dim=-1)
    assert {m: x.shape[-1] for m, x in batch.features.items()} == dict(dataset.modalities)
    assert len(set(batch.context.layout.sizes)) > 2
    assert 1 in batch.context.layout.sizes
    assert 0 < len(batch.scored) < len(batch.labels)
    assert set(batch.labels.tolist()) == {-1, 0, 1, 2, 3}
    assert set(batch.context.speaker.tolist()) == {0, 1, 2, dataset.speakers}
    assert (~available.any(-1)).any(), "somebody must lack everything"
    assert (~available).any(0).all(), "every modality must be missing somewhere"
    assert len(available) == 1 or available.any(0).all()


def test_missing_rows_are_zeros_and_the_others_are_not():
    batch = example_batch(example_dataset())
    for m, has in batch.context.available.items():
        assert torch.equal(batch.features[m].any(-1), has)


def test_lacking_modality_is_missing_everywhere():
    batch = example_batch(example_dataset(), lacking=("audio",), holes=False)
    assert [bool(has.any()) for has in batch.context.available.values()] == [True, False, True]


def test_without_holes_and_unscored_everything_is_there():
    batch = example_batch(example_dataset(), holes=False, unscored=False)
    assert all(bool(has.all()) for has in batch.context.available.values())
    assert len(batch.scored) == len(batch.labels)


def test_seed_decides():
    dataset = example_dataset()
    first, same, other = (example_batch(dataset, seed=seed).features["text"] for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_dialogues_have_the_asked_lengths():
    assert [len(d) for d in example_dialogues(example_dataset(2), (2, 7))] == [2, 7]


def test_stand_in_keeps_rows_apart_and_zeros_zero():
    x = example_batch(example_dataset()).features["text"]
    y = stand_in(x, 6, "a")
    assert torch.equal(y.any(-1), x.any(-1))
    assert torch.allclose(stand_in(x.flip(0), 6, "a"), y.flip(0))
    assert not torch.allclose(stand_in(x, 6, "b"), y)
