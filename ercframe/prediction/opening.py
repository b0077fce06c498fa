"""From a run folder, or what was exported of one, to a predictor."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ercframe.errors import InputError
from ercframe.exported import open_trained
from ercframe.loading import Trained
from ercframe.prediction.features import open_sources
from ercframe.prediction.predictor import Member, Predictor
from ercframe.seed_choice import ChosenSeed
from ercframe.specs import DatasetInfo
from ercframe.training.device import choose_device


def load_predictor(
    run: str | Path,
    *,
    seed: int | None = None,
    ensemble: bool = False,
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
        ensemble: take all seeds that have weights, and the mean of what they say; see
            :class:`~ercframe.prediction.predictor.Predictor`.
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
    if ensemble and seed is not None:
        raise InputError(f"an ensemble takes all seeds: --ensemble and --seed exclude each other (got seed {seed})")
    where = choose_device(device, "device")
    opened = open_trained(Path(run), trust_plugins=trust_plugins, plugin_files=plugins)
    kept = opened.inputs()
    info, intake = kept.info, kept.intake
    if intake is None:
        raise InputError(
            f"the model in {run} cannot predict new conversations: its dataset, '{opened.loaded.recipe.dataset.name}', "
            "has no way to compute their features; train on a bundle whose features were extracted"
        )
    chosen = opened.every_seed() if ensemble else (opened.choose_seed(seed),)
    sources = open_sources(intake, opened.loaded.registry, drop, given, settings, str(where))
    members = tuple(_member(opened, one, info, where) for one in chosen)
    return Predictor(
        run=opened,
        members=members,
        info=info,
        intake=intake,
        sources=sources,
        device=where,
        precision=opened.precision(where).suited_to(members[0].learner.model),
        temperature=opened.temperature([one.seed for one in chosen], info.labels),
    )


def _member(opened: Trained, chosen: ChosenSeed, info: DatasetInfo, device: torch.device) -> Member:
    learner, epoch = opened.learner(chosen.seed, info, device)
    return Member(chosen, epoch, learner)
