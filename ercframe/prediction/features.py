"""From the turns of a new conversation to the features a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.components import Extractor
from ercframe.data.conversations import Conversation
from ercframe.data.intake import Intake, Preparation
from ercframe.data.views import UtteranceView, views_of
from ercframe.errors import InputError, Problem
from ercframe.extraction.again import extract_views, rebuild
from ercframe.registry import Registry

# Shape letters: L utterances of one dialogue, D features.

IMPORTED = "imported"
DROPPED = "dropped"


@dataclass(frozen=True)
class Source:
    """Computes one modality of new conversations.

    Attributes:
        preparation: what follows the extractor.
        extractor: loaded; None where the modality is dropped, or given by whoever asks.
        why_not: why there is no extractor.
    """

    preparation: Preparation
    extractor: Extractor | None
    why_not: str = ""

    def raw(self, views: Sequence[UtteranceView]) -> tuple[NDArray[np.float32], dict[int, str]]:
        """Raw features, ``(L, D)``, and why turns have none, by their number; the extractor must be there."""
        assert self.extractor is not None
        width = self.preparation.modality.width
        values_LD, missing = extract_views(self.extractor, views, width)
        return values_LD, {i: why.reason for i, why in missing.items()}

    def nothing(self, count: int) -> tuple[NDArray[np.float32], dict[int, str]]:
        """What :meth:`raw` gives for turns without the modality."""
        return np.full((count, self.preparation.modality.width), np.nan, np.float32), dict.fromkeys(
            range(count), self.why_not
        )


def open_sources(
    intake: Intake,
    registry: Registry,
    drop: Sequence[str] = (),
    given: Sequence[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
) -> dict[str, Source]:
    """The extractor of every modality, loaded, with what it learnt.

    Args:
        intake: what the run kept.
        registry: where extractors come from.
        drop: modalities to do without.
        given: modalities whose raw features come with every conversation.
        settings: for a modality settings to use instead of the recorded ones, such as where its model is.
        device: where extractors compute.

    Raises:
        InputError: a modality is unknown, all are dropped, or some cannot be computed; lists every one.
    """
    settings = settings or {}
    _require_known(intake, {"drop": drop, "given": given, "settings": tuple(settings)})
    if set(drop) >= set(intake.modalities):
        raise InputError(f"at least one modality must stay (all are dropped: {', '.join(intake.modalities)})")
    sources, problems = dict[str, Source](), list[Problem]()
    for name, preparation in intake.modalities.items():
        if name in drop or name in given:
            sources[name] = Source(preparation, None, DROPPED if name in drop else "not given")
            continue
        try:
            extractor = _rebuilt(preparation, intake.folder, registry, device, settings.get(name))
            sources[name] = Source(preparation, extractor)
        except InputError as error:
            problems.append(Problem("", name, error.title))
    if problems:
        raise InputError(
            "features of new conversations cannot be computed",
            problems,
            "To do without a modality: --drop NAME; the model was trained with it, so results may suffer.\n"
            "Where a model is in another place now: --set NAME.SETTING=VALUE.\n"
            "To give raw features yourself: load_predictor(RUN, given=[NAME, …]) of ercframe, in Python.\n"
            "Or train on features that an extractor computes: ercframe list extractor.",
        )
    return sources


def _rebuilt(
    preparation: Preparation, folder: Path, registry: Registry, device: str, changes: Mapping[str, Any] | None
) -> Extractor:
    if preparation.modality.extractor == IMPORTED:
        raise InputError("its features were imported: nothing is known that computes them")
    return rebuild(preparation.modality, folder, registry, device, changes)


def _require_known(intake: Intake, named: Mapping[str, Sequence[str]]) -> None:
    have = ", ".join(intake.modalities)
    problems = [
        Problem("", option, f"must name modalities of the run, {have} (got '{name}')")
        for option, names in named.items()
        for name in names
        if name not in intake.modalities
    ]
    if problems:
        raise InputError("unknown modality", problems)


def views(conversation: Conversation, media: Path | None) -> tuple[UtteranceView, ...]:
    """The turns as extractors see them."""
    rows = [
        {
            **turn.model_dump(include={"id", "speaker", "text", "start", "end"}, exclude_none=True),
            "media": turn.media.model_dump(exclude_none=True),
        }
        for turn in conversation.turns
    ]
    return tuple(views_of({"id": conversation.id, "utterances": rows}, media))


def require_media(
    conversations: Sequence[Conversation], media: Path | None, sources: Mapping[str, Source], of: str
) -> None:
    """Refuse a recording that a turn names, an extractor reads and nobody finds.

    Args:
        conversations: what shall be predicted.
        media: folder of the recordings.
        sources: the extractors.
        of: name of the file that was read, for errors.

    Raises:
        InputError: there are some; lists every one.
    """
    kinds = {need for s in sources.values() if s.extractor for need in s.extractor.needs} & {"audio", "video"}
    problems = [p for c in conversations for p in _missing_files(c, media, kinds, of)]
    if problems:
        raise InputError(
            f"recordings are missing in {media}", problems, "--media names the folder that the paths start from."
        )


def _missing_files(conversation: Conversation, media: Path | None, kinds: set[Any], of: str) -> Iterator[Problem]:
    lines = conversation.lines or range(1, len(conversation.turns) + 1)
    for line, view in zip(lines, views(conversation, media), strict=True):
        for kind in sorted(kinds):
            path = view.file(kind)
            if path and not path.is_file():
                yield Problem(f"{of}:{line}", f"media.{kind}", f"must be a file (got {path}, which is not there)")
