"""The experiment of a run folder, as it began."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ercframe import recipes
from ercframe.build import Experiment, assemble
from ercframe.following import require_same_everywhere
from ercframe.preflight import Preflight, preflight
from ercframe.ranks import ALONE, Ranks
from ercframe.resumption import require_same_experiment, require_same_files
from ercframe.runs import RunFolder
from ercframe.training.device import deterministic
from ercframe.training.memory import memory_explained


@contextmanager
def reopened(
    folder: RunFolder, tell: Callable[[str], None], ranks: Ranks = ALONE, as_many: bool = True
) -> Iterator[tuple[Experiment, Preflight]]:
    """The experiment of a run in a folder that is locked, and what its probe found; a block to train in.

    Args:
        folder: of the run.
        tell: told what the user should know, in a line.
        ranks: train together.
        as_many: there must be as many ranks as when the run began.

    Raises:
        InputError: it can no longer be the same run.
    """
    require_same_files(folder)
    loaded = recipes.load(folder.path / "recipe.yaml")
    for notice in loaded.notices:
        tell(notice)
    experiment = assemble(loaded)
    with deterministic(loaded.recipe.trainer.deterministic):
        with memory_explained(loaded.recipe):
            found = preflight(experiment, ranks)
        require_same_experiment(folder, experiment, found, ranks if as_many else None)
        require_same_everywhere(experiment, ranks)
        yield experiment, found
