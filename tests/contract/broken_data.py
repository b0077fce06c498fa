"""Small datasets and transforms, each with one fault; ``breaks`` names the checks that must find it, and no others."""

from dataclasses import replace
from typing import ClassVar

import torch
from broken_parts import Documented

from ercframe import Dataset, Transform
from ercframe.testing import example_dataset, example_dialogues


class SoundTransform(Documented, Transform):
    """Hides the first row of the first modality where the generator says so."""

    name = "sound"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config, dataset):
        self.modality = next(iter(dataset.modalities))

    def forward(self, batch, generator):
        m, has = self.modality, batch.context.available[self.modality]
        hide = torch.zeros_like(has)
        hide[0] = has[0] & (self.drawn(generator) < 0.5)
        available = {**batch.context.available, m: has & ~hide}
        features = {**batch.features, m: batch.features[m].masked_fill(hide[:, None], 0)}
        context = replace(batch.context, available=available)
        return self.spoil(batch, replace(batch, features=features, context=context, hidden={m: hide}))

    def drawn(self, generator):
        return torch.rand((), generator=generator)

    def spoil(self, batch, changed):
        return changed


class EditsTheBatch(SoundTransform):
    breaks = {"batch_is_not_changed"}

    def spoil(self, batch, changed):
        batch.context.speaker.zero_()
        return changed


class DropsLabels(SoundTransform):
    breaks = {"answers_are_kept"}

    def spoil(self, batch, changed):
        return replace(changed, labels=torch.full_like(batch.labels, -1))


class WidensFeatures(SoundTransform):
    breaks = {"answers_are_kept"}

    def spoil(self, batch, changed):
        return replace(changed, features={m: x.double() for m, x in changed.features.items()})


class DrawsFromTheGlobalState(SoundTransform):
    breaks = {"only_the_generator_decides"}

    def drawn(self, generator):
        return torch.rand(())


class MovesTheGlobalState(SoundTransform):
    breaks = {"only_the_generator_decides"}

    def drawn(self, generator):
        torch.rand(())
        return super().drawn(generator)


class HidesInSecret(SoundTransform):
    breaks = {"hidden_rows_are_recorded"}

    def spoil(self, batch, changed):
        return replace(changed, hidden={})


class ShowsWhatItHid(SoundTransform):
    breaks = {"hidden_rows_are_recorded"}

    def spoil(self, batch, changed):
        return replace(changed, features=batch.features)


class MakesUpRows(SoundTransform):
    breaks = {"hidden_rows_are_recorded"}

    def spoil(self, batch, changed):
        available = {m: torch.ones_like(has) for m, has in changed.context.available.items()}
        return replace(changed, context=replace(changed.context, available=available), hidden={})


class NeedsTwoUtterances(SoundTransform):
    breaks = {"every_batch_is_accepted"}

    def spoil(self, batch, changed):
        assert len(batch.labels) > 1
        return changed


class SoundDataset(Documented, Dataset):
    name = "sound"
    breaks: ClassVar[set[str]] = set()
    splits = {"train": (4, 2), "dev": (), "test": (1, 3)}

    def __init__(self, config, modalities):
        widths = example_dataset().modalities
        self.modalities = {m: widths[m] for m in modalities}

    @property
    def info(self):
        sizes = {name: len(lengths) for name, lengths in self.splits.items()}
        return replace(example_dataset(self.modalities), splits=sizes)

    def split(self, name):
        everything = example_dialogues(example_dataset(), self.splits.get(name, ()), seed=len(name))
        return [self.spoil(self.chosen(d, f"{name} {d.id}")) for d in everything]

    def chosen(self, dialogue, name):
        features = {m: dialogue.features[m] for m in self.modalities}
        available = {m: dialogue.available[m] for m in self.modalities}
        return replace(dialogue, id=name, features=features, available=available)

    def spoil(self, dialogue):
        return dialogue


class MiscountsASplit(SoundDataset):
    breaks = {"info_fits_the_splits"}

    @property
    def info(self):
        return replace(super().info, splits={"train": 3, "test": 2})


class KeepsItsOwnOrder(SoundDataset):
    breaks = {"modalities_follow_the_recipe"}

    def __init__(self, config, modalities):
        super().__init__(config, [m for m in example_dataset().modalities if m in modalities])


class HasLabelsOutOfRange(SoundDataset):
    breaks = {"dialogues_are_well_formed"}

    def spoil(self, dialogue):
        return replace(dialogue, labels=dialogue.labels + 2)


class HasFloat64Features(SoundDataset):
    breaks = {"dialogues_are_well_formed"}

    def spoil(self, dialogue):
        return replace(dialogue, features={m: x.double() for m, x in dialogue.features.items()})


class FillsMissingRows(SoundDataset):
    breaks = {"dialogues_are_well_formed"}

    def spoil(self, dialogue):
        return replace(dialogue, features={m: x + 1 for m, x in dialogue.features.items()})


class HasTooManySpeakers(SoundDataset):
    breaks = {"dialogues_are_well_formed"}

    def spoil(self, dialogue):
        return replace(dialogue, speaker=dialogue.speaker + 9)


class LosesARecord(SoundDataset):
    breaks = {"dialogues_are_well_formed"}

    def spoil(self, dialogue):
        return replace(dialogue, utterances=dialogue.utterances[1:])


class LeaksADialogue(SoundDataset):
    breaks = {"ids_are_unique"}

    def chosen(self, dialogue, name):
        return super().chosen(dialogue, dialogue.id)


class RepeatsAnUtteranceId(SoundDataset):
    breaks = {"ids_are_unique"}

    def spoil(self, dialogue):
        return replace(dialogue, utterances=dialogue.utterances[:1] * len(dialogue))


class HasNoScoredUtterance(SoundDataset):
    breaks = {"batches_can_be_made"}

    def spoil(self, dialogue):
        return replace(dialogue, labels=torch.full_like(dialogue.labels, -1))


class AnswersForEverySplit(SoundDataset):
    breaks = {"batches_can_be_made"}

    def split(self, name):
        return super().split(name if name in self.splits else "train")


class DrawsAnew(SoundDataset):
    """Between two reads, and so between two orders of modalities, too."""

    breaks = {"reading_repeats", "modalities_follow_the_recipe", "order_of_reading_is_free"}

    def spoil(self, dialogue):
        noise = {m: torch.randn_like(x) * dialogue.available[m][:, None] for m, x in dialogue.features.items()}
        return replace(dialogue, features={m: x + noise[m] for m, x in dialogue.features.items()})


class RemembersThePreviousDialogue(SoundDataset):
    """Its labels are those of what was read before, so only another order shows it."""

    breaks = {"order_of_reading_is_free"}

    def split(self, name):
        return _InOneBreath(super().split(name))


class _InOneBreath:
    """Numbers the speakers in the order in which dialogues are read."""

    def __init__(self, dialogues):
        self.dialogues, self.read = dialogues, 0

    def __len__(self):
        return len(self.dialogues)

    def __getitem__(self, index):
        self.read = min(self.read + 1, len(self))
        dialogue = self.dialogues[index]
        return replace(dialogue, speaker=torch.full_like(dialogue.speaker, min(self.read, 3)))
