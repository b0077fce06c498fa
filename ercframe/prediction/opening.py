"""From a run folder to a predictor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ercframe.build import assemble
from ercframe.calibration import fit_temperature, recorded
from ercframe.data.intake import Intake, read_inputs
from ercframe.errors import InputError
from ercframe.loading import TrainedRun
from ercframe.prediction.features import open_sources
from ercframe.prediction.predictor import Predictor
from ercframe.specs import DatasetInfo
from ercframe.training.device import choose_device


def load_predictor(
    run: str | Path,
    *,
    seed: int | None = None,
    drop: Sequence[str] = (),
    given: Sequence[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    plugins: Sequence[Path] = (),
    trust_plugins: bool = False,
    device: str = "auto",
) -> Predictor:
    """Open a run folder to predict with.

    Args:
        run: the folder.
        seed: which seed's weights; None takes the best on dev.
        drop: modalities to do without.
        given: modalities whose raw features are given with every conversation instead of being extracted.
        settings: for a modality settings of its extractor to use instead of the recorded ones, such as where its model
            is now. That the model is the same is checked; what else they change is not.
        plugins: plugin files that provide an extractor.
        trust_plugins: whether plugin files in the run folder may be imported, which runs their code.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        InputError: the folder cannot be used, or features of new conversations cannot be computed; says what to do.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InputError(f"device must be auto, cpu, cuda or cuda:1 (got '{device}')")
    where = choose_device(device, "device")
    opened = TrainedRun.open(Path(run), trust_plugins=trust_plugins, plugin_files=plugins)
    info, intake = _inputs(opened)
    if intake is None:
        raise InputError(
            f"the run in {run} cannot predict new conversations: its dataset, '{opened.loaded.recipe.dataset.name}', "
            "has no way to compute their features; train on a bundle whose features were extracted"
        )
    chosen = opened.choose_seed(seed)
    sources = open_sources(intake, opened.loaded.registry, drop, given, settings, str(where))
    learner, epoch = opened.learner(chosen.seed, info, where)
    return Predictor(
        run=opened,
        seed=chosen,
        epoch=epoch,
        info=info,
        intake=intake,
        sources=sources,
        learner=learner,
        device=where,
        precision=opened.precision(where),
        temperature=_temperature(opened, chosen.seed, info.labels),
    )


def _inputs(run: TrainedRun) -> tuple[DatasetInfo, Intake | None]:
    """What the run kept; of a run that an earlier version made, what its data says now."""
    try:
        return read_inputs(run.folder.path)
    except FileNotFoundError:
        pass
    try:
        experiment = assemble(run.loaded)
    except InputError as error:
        raise InputError(
            f"the run in {run.folder.path} was made by a version of ercframe that kept nothing for predicting, and its "
            f"data cannot be opened: {error.title}",
            error.problems,
        ) from None
    return experiment.info, experiment.dataset.intake()


def _temperature(run: TrainedRun, seed: int, labels: Sequence[str]) -> float | None:
    rows = run.folder.seed(seed).read_predictions("dev")
    return fit_temperature(*recorded(rows, labels)) if rows else None
