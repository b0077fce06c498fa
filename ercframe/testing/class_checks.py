"""Checks of a component's class: fit to be listed, and built, or refused in words, wherever one may put it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ercframe.blame import blame
from ercframe.registry import faults
from ercframe.testing.refusals import is_refusal
from ercframe.testing.scenes import other_corpora
from ercframe.testing.verdicts import ContractError, NotApplicableError, require

if TYPE_CHECKING:
    from ercframe.testing.subject import Subject


def class_is_usable(subject: Subject) -> None:
    """The class must have a name, a docstring, nothing abstract, and a description for each field of its ``Config``.

    A plugin whose class lacks one of these is not loaded. Its description is all that a user sees of a setting.
    """
    found = list(faults(subject.component))
    require(not found, "; ".join(found))


def constructor_builds_or_refuses(subject: Subject) -> None:
    """In every scene the constructor must build, or refuse with a SpecError, an InputError or a ``raise ValueError``.

    What it refuses is told to the user in these words. Anything else is shown as a fault of the component's code. It
    must build in one scene at least: all other checks are tried in the scenes that it accepts.
    """
    broken = [(name, error) for name, error in subject.refused if not is_refusal(error)]
    for name, error in broken[:1]:
        raise ContractError(f"the constructor must build or refuse in words in the scene '{name}' (got {blame(error)})")
    words = "\n  ".join(f"{name}: {error}" for name, error in subject.refused)
    require(bool(subject.accepted), f"the component must build in some scene; refused:\n  {words}")


def any_corpus_fits(subject: Subject) -> None:
    """Corpora with other emotions, speakers or names of modalities must do, or be refused in words.

    A width that was counted once, on one corpus, and a modality that is looked up by its name, end every experiment
    on another corpus.
    """
    if not _works(subject.trials[0]):
        raise NotApplicableError("it does not work on the usual corpus either")
    refused, tried = [], 0
    for scene in other_corpora(subject.component.kind):
        try:
            trial = subject.trial_in(scene)
            trial.build()
        except Exception as error:
            if not is_refusal(error):
                raise ContractError(f"{scene.name} must do (got {blame(error)})") from error
            refused.append(f"{scene.name}: {error}")
        else:
            _require_works(scene.name, trial)
            tried += 1
    if not tried:
        raise NotApplicableError("; ".join(refused))


def _works(trial: Any) -> bool:
    try:
        trial.works()
    except Exception:  # whatever it is, another check is there to tell it
        return False
    return True


def _require_works(name: str, trial: Any) -> None:
    try:
        trial.works()
    except ContractError as error:
        raise ContractError(f"{name} must do: {error}") from error
    except Exception as error:
        raise ContractError(f"{name} must do (got {blame(error)})") from error
