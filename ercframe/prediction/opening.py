"""From a run folder, or what was exported of one, to a predictor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ercframe.errors import InputError
from ercframe.exported import open_trained
from ercframe.prediction.features import open_sources
from ercframe.prediction.predictor import Predictor
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
    """Open a run folder, or an export of one, to predict with.

    Args:
        run: the folder.
        seed: which seed's weights; None takes the best on dev. An export has one.
        drop: modalities to do without.
        given: modalities whose raw features are given with every conversation instead of being extracted.
        settings: for a modality settings of its extractor to use instead of the recorded ones, such as where its model
            is now. That the model is the same is checked; what else they change is not.
        plugins: plugin files that provide an extractor.
        trust_plugins: whether plugin files in the folder may be imported, which runs their code.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        InputError: the folder cannot be used, or features of new conversations cannot be computed; says what to do.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InputError(f"device must be auto, cpu, cuda or cuda:1 (got '{device}')")
    where = choose_device(device, "device")
    opened = open_trained(Path(run), trust_plugins=trust_plugins, plugin_files=plugins)
    kept = opened.inputs()
    info, intake = kept.info, kept.intake
    if intake is None:
        raise InputError(
            f"the model in {run} cannot predict new conversations: its dataset, '{opened.loaded.recipe.dataset.name}', "
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
        precision=opened.precision(where).suited_to(learner.model),
        temperature=opened.temperature(chosen.seed, info.labels),
    )
