"""One execution of a recipe: every seed trained, and what each leaves in the run folder."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor

from ercframe.build import Experiment
from ercframe.errors import RunError
from ercframe.evaluate import record, rows, score
from ercframe.model import Learner
from ercframe.preflight import preflight
from ercframe.registry import Origin
from ercframe.runs import RunFolder, SeedFolder
from ercframe.summary import seed_summary, summarise
from ercframe.training.epoch import Epoch, best
from ercframe.training.loop import fit
from ercframe.training.state import new_state


class Reporter(Protocol):
    """Whoever wants to watch a run; it observes and never steers."""

    def started(self, experiment: Experiment, folder: RunFolder, parameters: int, warnings: list[str]) -> None:
        """Told once, after the probe and before the first epoch."""

    def seed_started(self, seed: int, epochs: int) -> None:
        """Told before each seed."""

    def epoch_done(self, seed: int, epoch: Epoch, is_best: bool) -> None:
        """Told after each epoch."""

    def seed_done(self, seed: int) -> None:
        """Told after the training of each seed, however it ended."""


def execute(experiment: Experiment, root: Path, reporter: Reporter) -> tuple[RunFolder, dict[str, Any]]:
    """Run a recipe: probe it, train every seed, write the run folder, return it with the summary.

    Ctrl-C ends the seed at hand with the epochs it has and leaves the other seeds out; the summary then says
    ``"status": "interrupted"``. Whatever else stops a run, the summary says ``"failed"`` and holds the finished seeds.

    Raises:
        InputError: the probe found a fault, or the run folder cannot be made.
        RunError: training diverged, or a file could not be read or written.
    """
    recipe = experiment.loaded.recipe
    found = preflight(experiment)
    folder = RunFolder.create(root, recipe.name)
    seeds: list[dict[str, Any]] = []

    def keep(status: str) -> dict[str, Any]:
        summary = summarise(experiment, seeds, found.total, status)
        folder.write_summary(summary)
        return summary

    try:
        folder.write_recipe(recipe.to_yaml(folder.copy_plugins(recipe.plugin_files)))
        folder.write_environment(found.device, found.precision.name, _origins(experiment))
        reporter.started(experiment, folder, found.total, list(found.warnings))
        for seed in recipe.protocol.seed_list():
            with found.precision.matmuls():
                done, status = _run_seed(experiment, seed, folder.seed(seed), found.device, reporter)
            seeds += done
            if status == "interrupted":
                break
            keep("running")
    except KeyboardInterrupt:
        status = "interrupted"
    except Exception as error:
        with suppress(OSError):  # a full disk may be what stopped the run
            keep("failed")
        if isinstance(error, OSError):
            raise RunError(f"the run in {folder.path} could not go on: {error}") from error
        raise
    return folder, keep(status)


def _run_seed(
    experiment: Experiment, seed: int, folder: SeedFolder, device: torch.device, reporter: Reporter
) -> tuple[list[dict[str, Any]], str]:
    """Train one seed; its summary (none where no epoch ended) and ``finished`` or ``interrupted``."""
    concluded: list[dict[str, Any]] = []
    started, status = time.perf_counter(), "finished"
    state = new_state(experiment, seed, device)
    learner, epochs = state.learner, state.epochs

    def observe(epoch: Epoch, is_best: bool) -> None:
        with interrupt_deferred():  # checkpoint, log and list must tell the same story
            folder.save_checkpoint(learner, epoch.number, is_best)
            folder.write_metrics(_row(epoch) for epoch in epochs)
        reporter.epoch_done(seed, epoch, is_best)

    reporter.seed_started(seed, experiment.loaded.recipe.trainer.epochs)
    try:
        fit(state, experiment, observe)
    except KeyboardInterrupt:
        status = "interrupted"
    finally:
        reporter.seed_done(seed)
    if not epochs:
        return concluded, status
    seconds = time.perf_counter() - started
    try:
        # The epochs are there: they must not be lost for want of a few seconds.
        with interrupt_deferred(), state.precision.autocast():
            concluded.append(_conclude(experiment, seed, learner, epochs, folder, device, seconds))
    except KeyboardInterrupt:
        status = "interrupted"
    return concluded, status


def _conclude(
    experiment: Experiment,
    seed: int,
    learner: Learner,
    epochs: list[Epoch],
    folder: SeedFolder,
    device: torch.device,
    seconds: float,
) -> dict[str, Any]:
    """Score and record the chosen epoch's weights, and sum the seed up."""
    recipe, splits, labels = experiment.loaded.recipe, experiment.splits, experiment.info.labels
    size = recipe.trainer.batch_dialogues
    chosen = best(epochs, "test" if recipe.protocol.name == "paper" else "dev", recipe.protocol.monitor)
    folder.load_checkpoint("best", learner)
    if chosen.test is None:
        chosen = replace(chosen, test=score(learner, splits.test, size, device, len(labels)))
    predictions: list[dict[str, Any]] = []
    representations: dict[str, Tensor] = {}
    for split, dialogues in (("dev", splits.dev), ("test", splits.test)):
        if dialogues:
            found = record(learner, dialogues, size, device)
            predictions += list(rows(found, dialogues, split, labels))
            representations |= {f"{split}.{name}": x for name, x in found.representations.items()}
            representations[f"{split}.label"] = torch.cat([dialogue.labels for dialogue in dialogues])
    folder.write_predictions(predictions)
    folder.write_representations(representations)
    return seed_summary(seed, epochs, chosen, recipe.protocol, seconds)


def _row(epoch: Epoch) -> dict[str, Any]:
    scores = {
        split: {**found.headline(), "f1": list(found.f1)}
        for split, found in (("dev", epoch.dev), ("test", epoch.test))
        if found
    }
    terms = dict(epoch.terms)
    return {"epoch": epoch.number, "loss": epoch.loss, "terms": terms, **scores, "seconds": round(epoch.seconds, 3)}


def _origins(experiment: Experiment) -> dict[str, Origin]:
    recipe, registry = experiment.loaded.recipe, experiment.loaded.registry
    slots = [recipe.dataset, *recipe.transforms, recipe.encoder, recipe.fusion, recipe.classifier]
    slots += recipe.losses.values()
    return {
        f"{slot.component.kind}/{slot.name}": registry.entry(slot.component.kind, slot.name).origin for slot in slots
    }


@contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Let a Ctrl-C that comes inside this block take effect at its end."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread gets signals
        yield
        return
    arrived: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: arrived.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived and callable(before):
        before(*arrived[0])
