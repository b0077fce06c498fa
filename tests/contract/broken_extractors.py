"""Small extractors, each with one fault; ``breaks`` names the checks that must find it, and no others."""

from typing import ClassVar

import numpy as np
from broken_parts import Documented

from ercframe import Extractor, Fitted


class SoundExtractor(Documented, Extractor):
    name = "sound"
    modality = "text"
    needs = ("text",)
    version = "1"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config):
        pass

    def extract(self, contents):
        return np.array([[len(turn.text), turn.text.count("e")] for turn in contents], dtype="float32")


class FollowsTheLongest(SoundExtractor):
    breaks = {"features_have_one_width", "batches_change_nothing"}

    def extract(self, contents):
        longest = max(len(turn.text) for turn in contents)
        return np.array([[len(turn.text)] * longest for turn in contents], dtype="float32")


class NamesTooFewColumns(SoundExtractor):
    breaks = {"features_have_one_width"}
    columns = ("length",)


class CentresTheBatch(SoundExtractor):
    breaks = {"batches_change_nothing"}

    def extract(self, contents):
        found = super().extract(contents)
        return found - found.mean(axis=0)


class CountsWhatItRead(SoundExtractor):
    breaks = {"order_of_turns_is_free"}

    def __init__(self, config):
        self.places = {}

    def read(self, utterance):
        self.places.setdefault(utterance.id, len(self.places))
        return super().read(utterance)

    def extract(self, contents):
        return super().extract(contents) + np.array([[self.places[turn.id]] for turn in contents], dtype="float32")


class DrawsItsWeights(SoundExtractor):
    """As hash() of a text, of which another process has another one, would."""

    breaks = {"extraction_repeats", "order_of_turns_is_free"}

    # Not drawn at random: two draws that are nearly equal, one pair in a thousand, would hide the fault.
    built = 0

    def __init__(self, config):
        type(self).built += 1
        self.weight = float(self.built)

    def extract(self, contents):
        return super().extract(contents) * np.float32(self.weight)


class KnowsNoEmoji(SoundExtractor):
    """As a table of 65,536 signs would."""

    breaks = {"strange_turns_are_accepted"}

    def read(self, utterance):
        if any(ord(sign) > 0xFFFF for sign in utterance.text):
            raise ValueError("not in the basic plane")
        return super().read(utterance)


class SoundLearner(SoundExtractor):
    """Learns a mean length."""

    fits = True

    def fit(self, contents):
        self.mean = np.float64(np.mean([len(turn.text) for turn in contents]))

    def extract(self, contents):
        return super().extract(contents) - np.float32(self.mean)

    def fitted(self):
        return Fitted({"mean": np.array([self.mean])})

    def restore(self, fitted):
        self.mean = fitted.arrays["mean"][0]


class ForgetsWhatItLearnt(SoundLearner):
    breaks = {"what_it_learnt_is_enough"}

    def restore(self, fitted):
        self.mean = 0.0
