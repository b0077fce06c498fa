"""Checks of losses: which terms, over which rows, and that batches can be cut in pieces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ercframe.data.dialogue import collate
from ercframe.tensors import Batch, Term
from ercframe.testing.conversations import altered
from ercframe.testing.trial import LossTrial
from ercframe.testing.verdicts import NotApplicableError, require, require_finite, require_same


def terms_are_as_declared(trial: LossTrial) -> None:
    """Terms must be pairs of scalars, and their names the prefixes that ``terms`` declares, each of them used.

    A recipe weighs terms by prefix. A total is in nats; a count says how much was added up, is not negative and has
    no gradient, since the objective divides by it. Logits of auxiliary heads have one row per utterance.
    """
    part, batch = trial.build(), trial.batch()
    terms = _terms(trial, part, batch)
    prefixes = {name: _prefix(name, part.terms) for name in terms}
    strange = [name for name, prefix in prefixes.items() if prefix is None]
    require(
        not strange, f"a term's name must be one of {part.terms}, or begin with it and an underscore (got {strange})"
    )
    unused = sorted(set(part.terms) - set(prefixes.values()))
    require(not unused, f"every declared term must be returned ({unused} are not)")
    for name, term in terms.items():
        shapes = tuple(term.total.shape), tuple(term.count.shape)
        require(shapes == ((), ()), f"total and count of '{name}' must be scalars (got shapes {shapes})")
        require(not term.count.requires_grad, f"the count of '{name}' must have no gradient")
        require(float(term.count) >= 0, f"the count of '{name}' must not be negative (got {float(term.count)})")
    _require_heads(trial, part, batch)


def batches_add_up(trial: LossTrial) -> None:
    """Totals and counts of two half batches must add up to those of the whole.

    The gradient of accumulated batches, or of several devices, is then that of one large batch. A loss that compares
    utterances with each other declares ``couples_rows``.
    """
    part = trial.build()
    if part.couples_rows:
        raise NotApplicableError("couples_rows is True")
    dialogues = trial.dialogues()
    whole = _numbers(_terms(trial, part, collate(dialogues)))
    halves = [_numbers(_terms(trial, part, collate(half))) for half in (dialogues[:2], dialogues[2:])]
    added = {name: halves[0][name] + halves[1][name] for name in whole}
    require_same("two half batches must add up to the whole, or couples_rows be True", added, whole)


def counts_are_known_before(trial: LossTrial) -> None:
    """``counts`` must say of a batch, for every declared term, what ``forward`` will divide by.

    Accumulated batches are divided by the sum over all of them, which is needed before the first backward pass. By
    default it is the number of scored utterances, which is wrong for a loss with class weights. A loss that compares
    utterances with each other declares ``couples_rows``.
    """
    part, batch = trial.build(), trial.batch()
    if part.couples_rows:
        raise NotApplicableError("couples_rows is True")
    counts = part.counts(batch)
    missing = [name for name in part.terms if name not in counts]
    require(not missing, f"counts must hold every declared term ({missing} are not there)")
    for name, term in _terms(trial, part, batch).items():
        told = counts[_prefix(name, part.terms) or part.terms[0]].to(term.count)
        require_same(f"counts must say what '{name}' is divided by", {"count": told}, {"count": term.count.detach()})


def nothing_scored_is_an_attached_zero(trial: LossTrial) -> None:
    """With nothing scored, totals and counts must be 0, totals attached to the graph, gradients finite.

    Such batches occur. A detached zero stops distributed training: the other processes wait for its gradient.
    """
    batch = trial.batch()
    empty = replace(batch, labels=torch.full_like(batch.labels, -1), scored=batch.scored[:0])
    part = trial.build()
    for name, term in _terms(trial, part, empty).items():
        total, count = float(term.total.detach()), float(term.count.detach())
        require(count == 0, f"the count of '{name}' must be 0 (got {count})")
        require(total == 0, f"the total of '{name}' must be 0 (got {total})")
        require(term.total.requires_grad, f"the total of '{name}' must stay attached to the graph")
    _, gradients = trial.with_gradients(part, empty)
    require_finite("gradients with nothing scored", gradients)


def only_scored_rows_count(trial: LossTrial) -> None:
    """What the model says of utterances that are not scored must not change a loss.

    They are context. Their label is -1, which as an index means the last emotion.
    """
    part, batch = trial.build(), trial.batch()
    inputs, rows = trial.inputs(batch), batch.labels < 0
    before = _numbers(trial.terms(part, inputs, batch))
    after = _numbers(trial.terms(part, {name: altered(x, rows) for name, x in inputs.items()}, batch))
    require_same("terms must stay when utterances that are not scored change", after, before)


def one_emotion_is_enough(trial: LossTrial) -> None:
    """A batch in which everybody feels the same must give finite terms and gradients.

    It occurs in short batches of imbalanced corpora, and leaves nobody to be compared with.
    """
    batch = trial.batch()
    for emotion in range(len(trial.scene.dataset.labels)):
        labels = torch.where(batch.labels < 0, batch.labels, emotion)
        part, same = trial.build(), replace(batch, labels=labels)
        outputs, gradients = trial.with_gradients(part, same)
        require_finite("totals for one emotion", outputs)
        require_finite("gradients for one emotion", gradients)


def totals_are_exact(trial: LossTrial) -> None:
    """For a model's output in half precision, totals and counts must be summed in at least float32.

    In bfloat16 a sum stops growing at a few hundred: adding 1 to 256 gives 256.
    """
    part, batch = trial.build(), trial.batch()
    inputs = {name: x.bfloat16().requires_grad_() for name, x in trial.inputs(batch).items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = trial.terms(part, inputs, batch)
    for name, term in terms.items():
        for which, x in (("total", term.total), ("count", term.count)):
            exact = x.dtype in (torch.float32, torch.float64) or not x.is_floating_point()
            require(exact, f"the {which} of '{name}' must be at least float32 (got {x.dtype})")


def _terms(trial: LossTrial, part: Any, batch: Batch) -> dict[str, Term]:
    inputs = {name: x.detach().clone().requires_grad_() for name, x in trial.inputs(batch).items()}
    return trial.terms(part, inputs, batch)


def _numbers(terms: Mapping[str, Term]) -> dict[str, Tensor]:
    totals = {f"{name}.total": term.total.detach() for name, term in terms.items()}
    return totals | {f"{name}.count": term.count for name, term in terms.items()}


def _prefix(name: str, prefixes: tuple[str, ...]) -> str | None:
    return next((prefix for prefix in prefixes if name == prefix or name.startswith(f"{prefix}_")), None)


def _require_heads(trial: LossTrial, part: Any, batch: Batch) -> None:
    shape = (len(batch.labels), len(trial.scene.dataset.labels))
    for name, logits in part.predictions(trial.model_output(trial.inputs(batch))).items():
        require(tuple(logits.shape) == shape, f"predictions['{name}'] must be {shape} (got {tuple(logits.shape)})")
