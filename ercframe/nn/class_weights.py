"""How much an utterance of each emotion counts in a loss."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ercframe.specs import DatasetInfo
from ercframe.tensors import Batch

# Shape letters: C emotions.

ClassWeights = Literal["none", "inverse_frequency"] | tuple[Annotated[float, Field(ge=0)], ...]
"""What a recipe may set as ``class_weights``; a loss's ``Config`` takes this as the field's type."""


def class_weights(setting: ClassWeights, dataset: DatasetInfo) -> Tensor | None:
    r"""Weight of each emotion, ``(C,)`` in the default dtype, or None where all count the same.

    ``inverse_frequency`` gives :math:`w_c = \sum_k n_k / n_c`, where :math:`n_c` is the number of scored utterances of
    emotion :math:`c` in what is trained on. An emotion that is never seen there gets 0: it adds nothing to a loss on
    other data, where any other weight would be made up. A list is taken as it is, in the order of the labels.

    Raises:
        ValueError: a list has not one number per emotion; the counts are not known; no weight is above 0.
    """
    if setting == "none":
        return None
    weights = _inverse_frequency(dataset) if setting == "inverse_frequency" else setting
    if len(weights) != len(dataset.labels):
        raise ValueError(
            f"class_weights must have one number for each of the {len(dataset.labels)} emotions "
            f"{', '.join(dataset.labels)} (got {len(weights)})"
        )
    if not any(weight > 0 for weight in weights):
        raise ValueError(f"class_weights must have at least one number above 0 (got {list(weights)})")
    return torch.tensor([float(weight) for weight in weights])


def scored_weight(batch: Batch, weight_C: Tensor | None) -> Tensor:
    """Sum of the class weights of a batch's scored utterances, a scalar; their number where there are no weights."""
    if weight_C is None:
        return torch.full((), float(len(batch.scored)), device=batch.labels.device)
    return weight_C[batch.labels.index_select(0, batch.scored)].sum()


def _inverse_frequency(dataset: DatasetInfo) -> Sequence[float]:
    counts = dataset.class_counts
    if not counts:
        raise ValueError(f"class_weights 'inverse_frequency' must know the class counts of '{dataset.name}' (got none)")
    return [sum(counts) / count if count else 0.0 for count in counts]
