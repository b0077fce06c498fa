"""A learned vector for each speaker."""

import torch

from ercframe.nn import speaker_rows


def test_every_speaker_has_a_row_and_the_unknown_one_starts_at_zero():
    rows = speaker_rows(3, 5)
    assert rows.weight.shape == (4, 5)
    assert not rows(torch.tensor(3)).any()
    assert rows.weight[:3].any(dim=1).all()


def test_the_row_of_the_unknown_speaker_learns_when_there_are_such():
    rows = speaker_rows(1, 2)
    rows(torch.tensor([1])).sum().backward()
    assert rows.weight.grad.tolist() == [[0, 0], [1, 1]]
