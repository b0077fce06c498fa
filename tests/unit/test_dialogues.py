"""Sequences of dialogues read what is asked for and nothing else."""

import pytest
import torch

from ercframe.data.dialogues import Dialogues, Joined, Selected, all_labels
from ercframe.probe import probe_batch
from ercframe.protocol import count_classes
from ercframe.testing import example_dataset, example_dialogues


class OnDisk(Dialogues):
    """Pretends that reading is expensive, and counts it."""

    def __init__(self, dialogues):
        self.dialogues, self.was_read = dialogues, []

    def __len__(self):
        return len(self.dialogues)

    def read(self, index):
        self.was_read.append(index)
        return self.dialogues[index]

    def labels(self, index):
        return self.dialogues[index].labels


@pytest.fixture
def on_disk():
    return OnDisk(example_dialogues(example_dataset()))


def ids(dialogues):
    return [dialogue.id for dialogue in dialogues]


def test_it_is_indexed_as_a_list(on_disk):
    plain = on_disk.dialogues
    assert on_disk[-1] is plain[-1]
    assert ids(on_disk) == ids(plain)
    for part in (slice(1, 3), slice(None, None, -1), slice(5, 1), slice(-2, None)):
        assert ids(on_disk[part]) == ids(plain[part])
    with pytest.raises(IndexError):
        on_disk[len(plain)]


def test_a_slice_reads_nothing_until_it_is_asked(on_disk):
    part = on_disk[1:3]
    assert on_disk.was_read == []
    assert part[0].id == on_disk.dialogues[1].id
    assert on_disk.was_read == [1]


def test_parts_and_wholes_know_their_labels(on_disk):
    plain = on_disk.dialogues
    whole = Joined(Selected(on_disk, [2, 0]), plain[:2])
    expected = [plain[2], plain[0], plain[0], plain[1]]
    assert ids(whole) == ids(expected)
    for found, dialogue in zip(all_labels(whole), expected, strict=True):
        assert torch.equal(found, dialogue.labels)


def test_counting_emotions_reads_no_features(on_disk):
    labels = torch.cat([dialogue.labels for dialogue in on_disk.dialogues])
    assert count_classes(on_disk, 4) == tuple(int((labels == c).sum()) for c in range(4))
    assert on_disk.was_read == []


def test_the_probe_reads_only_the_dialogues_that_it_takes(on_disk):
    batch = probe_batch(on_disk)
    assert sorted(batch.dialogues) == sorted(on_disk.dialogues[i].id for i in on_disk.was_read)
    assert batch.dialogues == probe_batch(on_disk.dialogues).dialogues
