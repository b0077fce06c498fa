"""Small trackers, each with one fault; ``breaks`` names the checks that must find it, and no others."""

import json
import os
import random
import signal
from typing import ClassVar

import numpy as np
import torch
from broken_parts import Documented

from ercframe import Tracker


class SoundTracker(Documented, Tracker):
    name = "sound"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config):
        self.seeds = set()

    def started(self, run):
        self.file = run.folder / "log.jsonl"

    def logged(self, seed, epoch, metrics):
        self.write(seed, metrics)

    def concluded(self, seed, metrics):
        self.write(seed, metrics)

    def finished(self, status, metrics):
        self.write(status, metrics)

    def write(self, what, metrics):
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, metrics]) + "\n")


class FilesAreCalledLikeLabels(SoundTracker):
    breaks = {
        "a_run_is_followed",
        "any_end_is_accepted",
        "resumed_runs_are_accepted",
        "training_is_left_alone",
        "the_environment_is_not_written",
    }

    def write(self, what, metrics):
        for name, value in metrics.items():
            (self.file.parent / name.replace("/", "-", 2)).write_text(str(value))


class CountsOnEverySeedToEnd(SoundTracker):
    breaks = {"any_end_is_accepted", "resumed_runs_are_accepted"}

    def logged(self, seed, epoch, metrics):
        self.seeds.add(seed)

    def concluded(self, seed, metrics):
        self.seeds.remove(seed)

    def finished(self, status, metrics):
        assert not self.seeds, "every seed must have ended"


class AsksForTheMean(SoundTracker):
    breaks = {"any_end_is_accepted", "resumed_runs_are_accepted"}

    def finished(self, status, metrics):
        self.write(status, {"f1": metrics["selected/test/weighted_f1/mean"]})


class WantsANewFile(SoundTracker):
    breaks = {"resumed_runs_are_accepted"}

    def started(self, run):
        super().started(run)
        self.file.touch(exist_ok=False)


class RefusesASeedToEndTwice(SoundTracker):
    breaks = {"a_run_is_followed"}

    def concluded(self, seed, metrics):
        assert not self.seeds, "one seed is enough"
        self.seeds.add(seed)


class SeedsItself(SoundTracker):
    breaks = {"training_is_left_alone"}

    def started(self, run):
        super().started(run)
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)


class IgnoresTermination(SoundTracker):
    breaks = {"training_is_left_alone"}

    def started(self, run):
        super().started(run)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class RoundsWhatItIsTold(SoundTracker):
    breaks = {"training_is_left_alone"}

    def logged(self, seed, epoch, metrics):
        metrics.update({name: round(value, 4) for name, value in metrics.items()})


class KeepsTheEnvironment(SoundTracker):
    breaks = {"the_environment_is_not_written"}

    def started(self, run):
        super().started(run)
        self.write("environment", dict(os.environ))
