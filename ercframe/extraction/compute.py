"""Computing the features of every turn, each block once, whatever stops the process in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ercframe.components import Extractor
from ercframe.data.fitted import Fitted
from ercframe.errors import NotAvailableError, RunError
from ercframe.extraction.blocks import Block, Missing, extract
from ercframe.extraction.journal import Journal
from ercframe.extraction.pool import Maker, read_blocks
from ercframe.extraction.survey import Survey
from ercframe.files import write_atomically

# Shape letters: N utterances of the bundle, D features.


@dataclass(frozen=True)
class Means:
    """What may differ from one time to the next: device, number of reading processes, and whether a fault stops it."""

    device: str = "cpu"
    workers: int = 1
    strict: bool = False


@dataclass(frozen=True)
class Computed:
    """The features of all turns.

    Attributes:
        values: ``(N, D)``, NaN where there are none.
        missing: why rows have none.
        remarks: what is worth telling about rows.
    """

    values: NDArray[Any]
    missing: dict[int, Missing]
    remarks: dict[int, str]


def compute(
    found: Survey,
    maker: Maker,
    means: Means,
    journal: Journal,
    fitted: Path,
    on_start: Callable[[int], None],
    on_block: Callable[[int], None],
) -> Computed:
    """Compute what the journal does not have yet, then take everything from it.

    Args:
        found: the turns.
        maker: the extractor, for processes that read.
        means: device, workers, strictness.
        journal: what was computed before; gains the rest.
        fitted: file with what the extractor learnt, written if it is not there.
        on_start: told how many turns were done before.
        on_block: told after each block how many turns it had.

    Raises:
        RunError: the extractor failed, or ``strict`` and a turn is broken.
    """
    sizes = {block.stamp: len(block.turns) for block in found.blocks()}
    if means.strict:
        _refuse_broken(found, found.missing)
        for rows, result in journal.results(sizes):
            _refuse_broken(found, {rows[i]: why for i, why in result.missing.items()})
    done = sum(size for stamp, size in sizes.items() if stamp in journal)
    on_start(done)
    if done < found.count:
        _prepare(found, means.device, fitted)
    todo = (block for block in found.blocks() if block.stamp not in journal)
    for block, readings in read_blocks(found.extractor, maker, todo, means.workers):
        result = extract(found.extractor, block.turns, readings)
        _check_kind(found.extractor, journal, result.values, block)
        journal.append(block, result)
        on_block(len(block.turns))
        if means.strict:
            _refuse_broken(found, {block.rows[i]: why for i, why in result.missing.items()})
    return _collect(found, journal, sizes)


def _prepare(found: Survey, device: str, fitted: Path) -> None:
    """Load the model, and fit it or take what was fitted before."""
    extractor = found.extractor
    extractor.load(device)
    if not extractor.fits:
        return
    if fitted.is_file():
        extractor.restore(Fitted.open(fitted))
        return
    extractor.fit(_training_contents(found))
    write_atomically(fitted, extractor.fitted().save)


def _training_contents(found: Survey) -> Iterator[Any]:
    for turn in found.training_turns():
        try:
            yield found.extractor.read(turn).content
        except (NotAvailableError, OSError):
            continue  # told when its block is extracted


def _check_kind(extractor: Extractor, journal: Journal, values: NDArray[Any], block: Block) -> None:
    """Refuse another width or type than before."""
    kind = (values.shape[1], values.dtype.name)
    if values.shape[1] and journal.kind not in (None, kind):
        raise RunError(
            f"extractor '{extractor.name}' must always return the same width and type "
            f"(got {kind[0]} {kind[1]} for {block.turns[0].id}, {journal.kind} before)"
        )


def _refuse_broken(found: Survey, missing: dict[int, Missing]) -> None:
    """Stop at the first turn with a fault."""
    for row in sorted(missing):
        if missing[row].broken:
            (place,) = found.bundle.places([row])
            raise RunError(f"{place} is broken: {missing[row].reason}; what is done is kept, --strict stops here")


def _collect(found: Survey, journal: Journal, stamps: dict[str, int]) -> Computed:
    width, dtype = journal.kind or (0, "float32")
    values_ND = np.full((found.bundle.manifest.utterances, width), np.nan, dtype)
    missing, remarks = dict(found.missing), dict[int, str]()
    for rows, result in journal.results(stamps):
        if result.values.shape[1]:
            values_ND[list(rows)] = result.values
        missing |= {rows[i]: why for i, why in result.missing.items()}
        remarks |= {rows[i]: remark for i, remark in result.remarks.items()}
    return Computed(values_ND, missing, remarks)
