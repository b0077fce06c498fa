"""Checks of extractors: one width, values that depend on a turn alone, and nothing that a stop could lose."""

from __future__ import annotations

import tempfile
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.blame import blame
from ercframe.components import ComponentConfig, Extractor
from ercframe.data.fitted import Fitted
from ercframe.data.views import UtteranceView
from ercframe.errors import InputError, NotAvailableError
from ercframe.testing.verdicts import ContractError, NotApplicableError, require

# Shape letters: N turns, D features.

TEXTS = ("Hello there.", "I am so very glad to see you again!", "Why?", "No. No, no, no.", "glad to see you", "…")
STRANGE = ("?", "😀", "é" * 3, "word " * 3000, "a\nb\tc", "0")
RATE, SECONDS = 16_000, 0.5


class ExtractorTrial:
    """An extractor with its model loaded, and what it learns learnt, on a few made-up turns."""

    def __init__(self, component: type[Extractor], config: ComponentConfig) -> None:
        self.component, self.config = component, config
        if "video" in component.needs:
            raise NotApplicableError("it needs video, of which the suite makes none")

    def build(self, *, fitted: bool = True) -> Any:
        """An extractor that is ready; ``fitted=False`` leaves out what it learns."""
        constructor: Any = self.component
        extractor = constructor(self.config)
        try:
            extractor.load("cpu")
        except InputError as error:  # its model, or a package of an extra, is not on this machine
            raise NotApplicableError(f"it cannot be loaded here: {error.title}") from error
        if fitted and self.component.fits:
            extractor.fit(self.contents(extractor, self.turns()))
        return extractor

    def turns(self, texts: Sequence[str] = TEXTS) -> list[UtteranceView]:
        """A conversation of two people who say these things, half a second each."""
        found: list[UtteranceView] = []
        for i, text in enumerate(texts):
            turn = UtteranceView(
                f"turn {i}", "AB"[i % 2], text, start=i * 1.0, end=i + SECONDS, dialogue="d", position=i
            )
            found.append(replace(turn, previous=found[-1] if found else None))
        return found

    def contents(self, extractor: Any, turns: Sequence[UtteranceView]) -> list[Any]:
        """What the extractor reads of each turn; sounds are written for it where it needs them."""
        if "audio" not in self.component.needs:
            return [extractor.read(turn).content for turn in turns]
        with tempfile.TemporaryDirectory() as folder:
            heard = [replace(turn, media={"audio": _sound(Path(folder), turn.position)}) for turn in turns]
            return [extractor.read(turn).content for turn in heard]

    def values(self, extractor: Any, texts: Sequence[str] = TEXTS) -> NDArray[Any]:
        """Features of the turns, ``(N, D)``, as many at a time as the extractor asks for."""
        found: NDArray[Any] = extractor.extract(self.contents(extractor, self.turns(texts)))
        return found


def features_have_one_width(trial: ExtractorTrial) -> None:
    """Features must be ``(N, D)`` floats with one row for each turn, of the same D and type for any number of turns.

    They become one array of the bundle. ``columns``, where there are any, must name each of the D.
    """
    extractor = trial.build()
    contents = trial.contents(extractor, trial.turns())
    several, one = extractor.extract(contents), extractor.extract(contents[:1])
    for found, rows in ((several, len(contents)), (one, 1)):
        shape = getattr(found, "shape", None)
        require(
            shape is not None and len(shape) == 2 and shape[0] == rows, f"features must be ({rows}, D) (got {shape})"
        )
        kinds = ("float16", "float32", "float64")
        require(str(found.dtype) in kinds, f"features must be {', '.join(kinds)} (got {found.dtype})")
    same = one.shape[1] == several.shape[1] and one.dtype == several.dtype
    require(same, f"width and type must not depend on the batch (got {_kind(one)} and {_kind(several)})")
    names, width = len(extractor.columns), several.shape[1]
    require(names in (0, width), f"columns must name each of the {width} features (got {names} names)")
    require(not np.isinf(several).any(), "features must not be infinite; NaN says that a value is unknown")


def batches_change_nothing(trial: ExtractorTrial) -> None:
    """A turn must get the same features alone as among others, up to rounding.

    An extraction that was stopped goes on from another batch, and live prediction has one turn at a time.
    """
    extractor = trial.build()
    contents = trial.contents(extractor, trial.turns())
    together = extractor.extract(contents)
    alone = np.concatenate([extractor.extract([content]) for content in contents])
    _require_same("a turn alone must get the same features as among others", alone, together)


def order_of_turns_is_free(trial: ExtractorTrial) -> None:
    """Turns read and extracted in another order must get the same features, in that order.

    Several processes read; which of them is first is chance.
    """
    extractor, other = trial.build(), trial.build()
    forward = trial.values(extractor)
    contents = trial.contents(other, trial.turns()[::-1])
    _require_same("features must follow their turns when the order changes", other.extract(contents), forward[::-1])


def extraction_repeats(trial: ExtractorTrial) -> None:
    """Another extractor with the same settings must give the same features.

    A conversation that is predicted on later is extracted anew.
    """
    _require_same(
        "the same settings must give the same features", trial.values(trial.build()), trial.values(trial.build())
    )


def strange_turns_are_accepted(trial: ExtractorTrial) -> None:
    """A single sign, emoji, thousands of words and line breaks must be read, or refused with NotAvailableError.

    Real transcripts have them. Any other error stops an extraction of hours.
    """
    extractor = trial.build()
    for turn in trial.turns(STRANGE):
        try:
            contents = trial.contents(extractor, [turn])
            found = extractor.extract(contents)
        except NotAvailableError:
            continue
        except Exception as error:
            raise ContractError(f"the turn {turn.text[:12]!r} must be read or refused (got {blame(error)})") from error
        require(not np.isinf(found).any(), f"features of {turn.text[:12]!r} must not be infinite")


def what_it_learnt_is_enough(trial: ExtractorTrial) -> None:
    """What ``fitted`` returns, saved and restored in a new extractor, must give the same features.

    It is saved with the bundle, and everything extracted later relies on it.
    """
    if not trial.component.fits:
        raise NotApplicableError("it learns nothing")
    first, second = trial.build(), trial.build(fitted=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fitted.safetensors"
        first.fitted().save(path)
        second.restore(Fitted.open(path))
    _require_same("what it learnt, restored, must give the same features", trial.values(second), trial.values(first))


def _require_same(what: str, got: NDArray[Any], expected: NDArray[Any]) -> None:
    require(got.shape == expected.shape, f"{what} (got shapes {got.shape} and {expected.shape})")
    far = ~np.isclose(got.astype("float64"), expected.astype("float64"), 1e-3, 1e-4, equal_nan=True)
    require(not far.any(), f"{what} ({int(far.sum())} of {far.size} numbers differ)")


def _kind(values: NDArray[Any]) -> str:
    return f"{values.shape[1]} × {values.dtype}"


def _sound(folder: Path, number: int) -> Path:
    """A tone of its own for each turn, as a WAV file of one channel."""
    samples = np.sin(np.arange(int(RATE * SECONDS)) * 2 * np.pi * (200 + 50 * number) / RATE)
    path = folder / f"{number}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 8000).astype("<i2").tobytes())
    return path
