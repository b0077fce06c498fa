"""What each protocol trains on, chooses on and reports."""

from types import SimpleNamespace

import pytest
import torch

from ercframe import Dialogue, InputError, Utterance
from ercframe.protocol import count_classes, divide
from ercframe.settings import ProtocolSettings


def dialogue(name: str, *labels: int) -> Dialogue:
    n = len(labels)
    return Dialogue(
        id=name,
        features={"text": torch.zeros(n, 2)},
        available={"text": torch.ones(n, dtype=torch.bool)},
        speaker=torch.zeros(n, dtype=torch.long),
        labels=torch.tensor(labels),
        utterances=[Utterance(f"{name}_{i}") for i in range(n)],
    )


def corpus(train: int, dev: int, test: int = 2):
    sizes = {"train": train, "dev": dev, "test": test}
    splits = {name: [dialogue(f"{name}{i}", 0, 1) for i in range(size)] for name, size in sizes.items()}
    return SimpleNamespace(split=splits.__getitem__)


def ids(dialogues):
    return [d.id for d in dialogues]


def test_heldout_keeps_the_corpus_own_dev():
    splits = divide(corpus(5, 3), ProtocolSettings())
    assert ids(splits.dev) == ["dev0", "dev1", "dev2"]
    assert len(splits.train) == 5
    assert splits.dev_origin == "the corpus's own"


def test_heldout_carves_whole_dialogues_from_train_the_same_for_every_seed():
    splits = divide(corpus(20, 0), ProtocolSettings(dev_fraction=0.2))
    again = divide(corpus(20, 0), ProtocolSettings(dev_fraction=0.2, seeds=(7,)))
    other = divide(corpus(20, 0), ProtocolSettings(dev_fraction=0.2, dev_seed=1))
    assert len(splits.dev) == 4
    assert sorted([*ids(splits.dev), *ids(splits.train)]) == sorted(f"train{i}" for i in range(20))
    assert ids(again.dev) == ids(splits.dev) != ids(other.dev)
    assert splits.dev_origin == "carved from train: 4 of 20 dialogues"


def test_paper_merges_dev_into_train_and_has_no_dev():
    splits = divide(corpus(5, 3), ProtocolSettings(name="paper"))
    assert len(splits.train) == 8
    assert not splits.dev
    assert splits.dev_origin == "no dev (3 dialogues merged into train)"


def test_a_split_with_nothing_labelled_is_refused_by_name():
    data = corpus(3, 1, test=0)
    with pytest.raises(InputError, match=r"needs labelled utterances in train, test, dev; there are none in test"):
        divide(data, ProtocolSettings())


def test_carving_from_a_single_dialogue_leaves_nothing_to_train_on():
    with pytest.raises(InputError, match=r"none in train \(dev: carved from train: 1 of 1 dialogues\)"):
        divide(corpus(1, 0), ProtocolSettings())


def test_classes_are_counted_over_scored_utterances_only():
    assert count_classes([dialogue("a", 0, -1, 2), dialogue("b", 2, -1)], 4) == (1, 0, 2, 0)
