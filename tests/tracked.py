"""Small runs that trackers are told of, undisturbed and stopped on the way."""

import json
import os
import signal

import yaml

from ercframe import recipes
from ercframe.build import assemble
from ercframe.execute import execute, resume

TINY = {
    "modalities": ["text", "audio"],
    "dataset": {"type": "synthetic", "train": 6, "dev": 3, "test": 3, "labels": 4},
    "encoder": {"type": "identity", "width": 4},
    "fusion": {"type": "gated"},
    "classifier": {"type": "mlp", "hidden": [4], "dropout": 0.3},
    "losses": {"task": {"type": "cross_entropy"}},
    "trainer": {"epochs": 4, "batch_dialogues": 4, "device": "cpu", "checkpoint_seconds": 0},
    "protocol": {"seeds": 2},
}


class Notices:
    """Watches a run, keeps what it is told in words, and interrupts it in an epoch if asked to."""

    def __init__(self, interrupt=None):
        self.said, self.interrupt = [], interrupt

    def started(self, experiment, folder, parameters, warnings):
        """Nothing to say."""

    def seed_started(self, seed, epochs):
        """Nothing to say."""

    def epoch_done(self, seed, epoch, is_best):
        """Perhaps Ctrl-C, which takes effect when the epoch is put away."""
        if (seed, epoch.number) == self.interrupt:
            os.kill(os.getpid(), signal.SIGINT)

    def seed_done(self, seed):
        """Nothing to say."""

    def notice(self, text):
        """Keep it."""
        self.said.append(text)


def run(folder, trackers, *, plugins=(), interrupt=None):
    """Run the small recipe in ``folder``: its run folder, and what was said."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(TINY | {"trackers": trackers}, sort_keys=False))
    notices = Notices(interrupt)
    experiment = assemble(recipes.load(folder / "tiny.yaml", plugin_files=list(plugins)))
    done, _ = execute(experiment, folder / "runs", notices)
    return done.path, notices.said


def stopped_and_resumed(folder, trackers, *, plugins=(), between=lambda path: None):
    """The same, stopped in the second seed's second epoch and gone on with."""
    path, said = run(folder, trackers, plugins=plugins, interrupt=(1, 2))
    assert read_json(path / "summary.json")["status"] == "interrupted"
    between(path)
    notices = Notices()
    resume(path, notices)
    assert read_json(path / "summary.json")["status"] == "finished"
    return path, [*said, *notices.said]


def read_json(path):
    """A file of JSON."""
    return json.loads(path.read_text())


def log_of(path, seed):
    """The lines of ``metrics.jsonl``."""
    return [json.loads(line) for line in (path / f"seed-{seed}" / "metrics.jsonl").read_text().splitlines()]
