"""What a run that was stopped says: why, and how to go on."""

from __future__ import annotations

import shlex

from ercframe.errors import RunError
from ercframe.ranks import ALONE, Ranks
from ercframe.runs import RunFolder
from ercframe.training.divergence import DivergedError


def resume_command(folder: RunFolder, ranks: Ranks = ALONE, jobs: int = 1) -> str:
    """What to type to go on with a run, by as many processes as it had."""
    arguments = f"run {shlex.quote(str(folder.path))} --resume"
    if ranks.local_size < ranks.size:
        return f"torchrun … -m ercframe {arguments}"
    processes = ("" if ranks.alone else f" --nproc {ranks.size}") + (f" --jobs {jobs}" if jobs > 1 else "")
    return f"ercframe {arguments}{processes}"


def explained(error: Exception, folder: RunFolder, go_on: str) -> Exception:
    """The error with what to do about it, where that is known; else the error itself.

    Args:
        error: what stopped the run.
        folder: of the run.
        go_on: the command that goes on with it.
    """
    if isinstance(error, DivergedError) and not error.operation:
        return RunError(f"{error}\nTo find the operation: ercframe run {shlex.quote(str(folder.path))} --anomaly")
    if isinstance(error, OSError):
        return RunError(f"the run in {folder.path} could not go on: {error}\nTo go on later: {go_on}")
    return error
