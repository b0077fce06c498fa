"""From a scene in which a check fails to the smallest one in which it fails the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ercframe.specs import FusedSpec, ModelSpec, StreamSpec
from ercframe.testing.scenes import Scene
from ercframe.testing.verdicts import NotApplicableError
from ercframe.wording import counted

MOST_TRIES = 150
"""Enough for all that the usual scenes can lose; a limit for components that are slow."""


def smallest(check: Callable[[Any], None], trial: Any, error: Exception) -> Scene:
    """The scene of ``trial`` with everything left out that ``check`` does not need to fail with ``error``.

    Dialogues, utterances, gaps, modalities and widths are taken away one after the other, as long as the check fails
    with the same kind of error and the same words, but for numbers and what was got.
    """
    scene: Scene = trial.scene
    tries = 0
    candidates = _simpler(scene)
    while (candidate := next(candidates, None)) is not None and tries < MOST_TRIES:
        tries += 1
        if _same(_error(check, trial, candidate), error):
            scene = candidate
            candidates = _simpler(scene)
    return scene


def _error(check: Callable[[Any], None], trial: Any, scene: Scene) -> Exception | None:
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            check(type(trial)(trial.component, trial.config, scene))
    except NotApplicableError:
        return None
    except Exception as error:
        return error
    return None


def _same(got: Exception | None, wanted: Exception) -> bool:
    return type(got) is type(wanted) and _words(got) == _words(wanted)


def _words(error: Exception | None) -> str:
    """What an error says, without the scene, numbers, and what was got."""
    return re.sub(r"^in the scene '[^']*': |[\d.]+", "", str(error)).partition("(")[0]


def _simpler(scene: Scene) -> Iterator[Scene]:
    lengths = scene.lengths
    for i in range(len(lengths) if len(lengths) > 1 else 0):
        yield replace(scene, lengths=lengths[:i] + lengths[i + 1 :])
    for i, length in enumerate(lengths):
        for shorter in dict.fromkeys((1, length // 2, length - 1)):
            if 0 < shorter < length:
                yield replace(scene, lengths=(*lengths[:i], shorter, *lengths[i + 1 :]))
    if scene.holes:
        yield replace(scene, holes=False)
    if scene.unscored:
        yield replace(scene, unscored=False)
    yield from _without_a_modality(scene)
    yield from _narrower(scene)


def _without_a_modality(scene: Scene) -> Iterator[Scene]:
    """First all but one, then one after the other: somebody may need one or three."""
    modalities = scene.dataset.modalities
    alone, but_one = [[m for m in modalities if m != kept] for kept in modalities], [[lost] for lost in modalities]
    for lost in [*alone, *but_one] if len(modalities) > 1 else ():
        kept = {m: width for m, width in modalities.items() if m not in lost}
        before = tuple(_spec(spec, lambda w: w, lost) for spec in scene.before)
        yield replace(scene, dataset=replace(scene.dataset, modalities=kept), before=before)


def _narrower(scene: Scene) -> Iterator[Scene]:
    """Widths of 1, or halved: of the features, or of what the parts before promise."""
    for narrow in (lambda width: 1, lambda width: max(1, width // 2)):
        widths = {m: narrow(width) for m, width in scene.dataset.modalities.items()}
        if widths != dict(scene.dataset.modalities):
            yield replace(scene, dataset=replace(scene.dataset, modalities=widths))
        before = tuple(_spec(spec, narrow) for spec in scene.before)
        if before != scene.before:
            yield replace(scene, before=before)


def _spec(spec: Any, width: Callable[[int], int], lost: Sequence[str] = ()) -> Any:
    """A promise with other widths, and without some modalities."""
    if isinstance(spec, StreamSpec):
        return StreamSpec({stream: width(w) for stream, w in spec.widths.items() if not {*lost} & {*stream}})
    if isinstance(spec, FusedSpec):
        return FusedSpec(width(spec.width), {m: width(w) for m, w in spec.by_modality.items() if m not in lost})
    return ModelSpec(_spec(spec.streams, width, lost), _spec(spec.fused, width, lost))


@dataclass(frozen=True)
class Smallest:
    """The smallest input that shows a fault, for people and for programs."""

    scene: Scene

    def words(self) -> str:
        """Such as ``"2 dialogues of 1 and 2 utterances; text (1 feature)"``."""
        scene, widths = self.scene, self.scene.dataset.modalities
        parts = [_dialogues(scene.lengths)]
        parts += [", ".join(f"{m} ({counted(width, 'feature')})" for m, width in widths.items())]
        parts += ["some lack a modality"] * scene.holes + ["some have no label"] * scene.unscored
        return "; ".join([*parts, *(f"behind {_told(spec)}" for spec in scene.before)])

    def python(self) -> str:
        """An expression for the batch, with names of ``ercframe.testing``."""
        scene = self.scene
        usual = "" if scene.holes else ", holes=False"
        usual += "" if scene.unscored else ", unscored=False"
        return f"example_batch(example_dataset({dict(scene.dataset.modalities)}), {scene.lengths}{usual})"

    def as_json(self) -> dict[str, Any]:
        """Numbers, and both of the above."""
        return {
            "dialogues": list(self.scene.lengths),
            "modalities": dict(self.scene.dataset.modalities),
            "words": self.words(),
            "python": self.python(),
        }


def _dialogues(lengths: Sequence[int]) -> str:
    first, turns = lengths[0], "utterance" if set(lengths) == {1} else "utterances"
    if len(lengths) == 1:
        return f"1 dialogue of {first} {turns}"
    if len(set(lengths)) == 1:
        return f"{len(lengths)} dialogues of {first} {turns} each"
    return f"{len(lengths)} dialogues of {', '.join(map(str, lengths[:-1]))} and {lengths[-1]} {turns}"


def _told(spec: Any) -> str:
    if isinstance(spec, StreamSpec):
        return "the streams " + ", ".join(f"{stream} ({width})" for stream, width in spec.widths.items())
    if isinstance(spec, FusedSpec):
        apart = ", ".join(f"{m} ({width})" for m, width in spec.by_modality.items())
        return f"a joint representation ({spec.width})" + (f" and {apart}" if apart else "")
    return f"{_told(spec.streams)}, and {_told(spec.fused)}"
