"""One small batch forward and backward before training: silent faults become errors with names."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

from ercframe.blame import blame
from ercframe.components import Classifier, Fusion, Loss, Part
from ercframe.data.dialogue import Dialogue, collate
from ercframe.data.dialogues import all_labels
from ercframe.errors import InputError, Problem
from ercframe.model import Learner
from ercframe.objective import prefix_of
from ercframe.tensors import Batch, Decision, FusionOutput, ModelOutput, Stream, Streams, Term

PROBE_DIALOGUES, PROBE_TURNS = 4, 8
FAILED = "the probe before training found that the parts do not work together"
Result = TypeVar("Result", Streams, FusionOutput, Decision)


def probe_batch(dialogues: Sequence[Dialogue]) -> Batch:
    """A batch of a few dialogues with scored labels, of about eight turns where there are such."""
    turns = {i: len(labels) for i, labels in enumerate(all_labels(dialogues)) if bool((labels >= 0).any())}
    chosen = heapq.nsmallest(PROBE_DIALOGUES, turns, key=lambda i: abs(turns[i] - PROBE_TURNS))
    return collate([dialogues[i] for i in chosen])


def probe(learner: Learner, batch: Batch, classes: int) -> list[str]:
    """Send a batch forward and backward, then restore random state, buffers, mode and gradients.

    Args:
        learner: on its device.
        batch: on the same device, with at least one scored utterance.
        classes: number of emotions, C.

    Returns:
        warnings: parameters whose gradient is all zeros.

    Raises:
        InputError: a shape, value or gradient is wrong, a stream is read by nobody, or a parameter is out of reach.
    """
    with undisturbed(learner):
        model = learner.model
        streams = _result(Streams, model.encoder, batch.features, batch.context)
        _raise_on(_stream_problems(learner, streams, batch))
        leaves = Streams({name: x.detach().requires_grad_() for name, x in streams.items()})
        fused = _result(FusionOutput, model.fusion, leaves, batch.context)
        _raise_on(_fused_problems(model.fusion, fused, len(batch.labels)))  # before what relies on the shapes
        decision = _result(Decision, model.classifier, fused, batch.context)
        _raise_on(_decision_problems(model.classifier, decision, (len(batch.labels), classes)))
        terms = _terms(learner, ModelOutput(leaves, fused, decision), batch)
        _raise_on(_term_problems(learner, terms))
        learner.objective.total(terms).backward()  # type: ignore[no-untyped-call]
        _raise_on(_unread(learner, leaves))
        _continue_backward(streams, leaves)
        _raise_on(_unreached(learner))
        _raise_on(_not_finite(learner))
        return _all_zero(learner)


def require_counts(learner: Learner, batch: Batch) -> None:
    """Refuse losses whose ``counts`` are not what their terms are divided by; leaves no trace either.

    Raises:
        InputError: all terms of which that is so.
    """
    objective = learner.objective
    with undisturbed(learner), torch.no_grad():
        terms, told = learner(batch)[1], objective.counts(batch)
    _raise_on(
        Problem(
            f"losses.{name}",
            "counts",
            f"must be what the term is divided by, {float(term.count):.6g} in the probe, for trainer.accumulate "
            f"to be above 1 (got {float(told[objective.declared(name)]):.6g})",
        )
        for name, term in terms.items()
        if not torch.allclose(told[objective.declared(name)].to(term.count), term.count)
    )


def _result(kind: type[Result], part: Part, *arguments: object) -> Result:
    """What a part returns. Whatever a foreign ``forward`` raises is told with its name and place."""
    try:
        found = part(*arguments)
    except Exception as error:
        raise InputError(FAILED, [Problem(_label(part), "forward", f"must not fail: {blame(error)}")]) from error
    if isinstance(found, kind):
        return found
    raise InputError(
        FAILED, [Problem(_label(part), "forward", f"must return {kind.__name__} (got {type(found).__name__})")]
    )


def _terms(learner: Learner, output: ModelOutput, batch: Batch) -> dict[str, Term]:
    """Every loss's terms. What a loss says itself is left as it is; whatever else it raises is told with its place."""
    found: dict[str, Term] = {}
    for slot in learner.objective.losses:
        try:
            found |= learner.objective.terms(slot, output, batch)
        except InputError:
            raise
        except Exception as error:
            problem = Problem(f"losses.{slot}", "forward", f"must not fail: {blame(error)}")
            raise InputError(FAILED, [problem]) from error
    return found


def _continue_backward(streams: Streams, leaves: Streams) -> None:
    """Carry the gradients of the detached streams on into the encoder; one without parameters has none to take."""
    pairs = [(x, leaves[name].grad) for name, x in streams.items() if x.requires_grad]
    if pairs:
        tensors, gradients = zip(*pairs, strict=True)
        torch.autograd.backward(tensors, gradients)


@contextmanager
def undisturbed(learner: Learner) -> Iterator[None]:
    """Run in train mode and leave no trace: training goes on as if there had been no probe."""
    devices = sorted({p.device.index or 0 for p in learner.parameters() if p.device.type == "cuda"})
    buffers = {name: buffer.clone() for name, buffer in learner.named_buffers()}
    was_training = learner.training
    with torch.random.fork_rng(devices):
        try:
            learner.train()
            yield
        finally:
            learner.train(was_training)
            learner.zero_grad(set_to_none=True)
            for name, buffer in learner.named_buffers():
                if name in buffers:  # one made by forward, such as a table of positions, may stay
                    buffer.copy_(buffers[name])


def _raise_on(found: Iterable[Problem]) -> None:
    problems = list(found)
    if problems:
        raise InputError(FAILED, problems)


def _label(part: Part) -> str:
    return f"{part.kind} '{part.name}'"


def _tensor_problems(who: str, what: str, x: Tensor, shape: tuple[int, ...]) -> Iterator[Problem]:
    if tuple(x.shape) != shape:
        yield Problem(who, what, f"must have shape {shape} (got {tuple(x.shape)})")
    elif not bool(torch.isfinite(x).all()):
        yield Problem(who, what, "must be finite (got NaN or Inf)")


def _stream_problems(learner: Learner, streams: Streams, batch: Batch) -> list[Problem]:
    encoder, rows = learner.model.encoder, len(batch.labels)
    who, promised = _label(encoder), encoder.spec.widths
    if set(streams) != set(promised):
        return [Problem(who, "streams", f"must be {_names(promised)} as its spec says (got {_names(streams)})")]
    return [p for s, x in streams.items() for p in _tensor_problems(who, f"stream {s}", x, (rows, promised[s]))]


def _fused_problems(fusion: Fusion, fused: FusionOutput, rows: int) -> list[Problem]:
    who, spec = _label(fusion), fusion.spec
    problems = list(_tensor_problems(who, "joint", fused.joint, (rows, spec.width)))
    if set(fused.by_modality) != set(spec.by_modality):
        got, must = _names(fused.by_modality), _names(spec.by_modality)
        return [*problems, Problem(who, "by_modality", f"must hold {must} as its spec says (got {got})")]
    for name, x in fused.by_modality.items():
        problems += _tensor_problems(who, f"by_modality[{name}]", x, (rows, spec.by_modality[name]))
    return [*problems, *_weight_problems(who, fused.weights, rows)]


def _decision_problems(classifier: Classifier, decision: Decision, shape: tuple[int, int]) -> list[Problem]:
    who = _label(classifier)
    return [
        *_tensor_problems(who, "logits", decision.logits, shape),
        *_weight_problems(who, decision.weights, shape[0]),
    ]


def _weight_problems(who: str, weights: Mapping[str, Tensor], rows: int) -> Iterator[Problem]:
    for name, x in weights.items():
        yield from _tensor_problems(who, f"weights[{name}]", x, (rows, *x.shape[1:]))


def _term_problems(learner: Learner, terms: Mapping[str, Term]) -> Iterator[Problem]:
    for slot, loss in learner.objective.losses.items():
        assert isinstance(loss, Loss)
        for name in (n.removeprefix(f"{slot}.") for n in terms if n.startswith(f"{slot}.")):
            if prefix_of(name, loss.terms) is None:
                yield Problem(_label(loss), name, f"must begin with one of its declared terms {list(loss.terms)}")
    for name, term in terms.items():
        for part, x in (("total", term.total), ("count", term.count)):
            yield from _tensor_problems(f"losses.{name}", part, x, ())


def _unread(learner: Learner, leaves: Streams) -> list[Problem]:
    """Streams that no gradient reached: their encoders would never be trained."""
    unread = [stream for stream, x in leaves.items() if x.grad is None]
    if not unread:
        return []
    encoder, fusion = learner.model.encoder, learner.model.fusion
    message = (
        f"nobody reads {len(unread)} of the {len(leaves)} streams of {_label(encoder)}: {_names(unread)}; "
        "what computes them would never be trained. Choose a fusion that reads them, or fewer streams"
    )
    return [Problem(_label(fusion), "streams", f"{message}: {encoder.unread_help}" if encoder.unread_help else message)]


def _parts(learner: Learner) -> dict[str, Part]:
    """Every component by the prefix of its parameters' names."""
    model = learner.model
    parts: dict[str, Part] = {
        "model.encoder.": model.encoder,
        "model.fusion.": model.fusion,
        "model.classifier.": model.classifier,
    }
    for slot, loss in learner.objective.losses.items():
        assert isinstance(loss, Loss)
        parts[f"objective.losses.{slot}."] = loss
    return parts


def _unreached(learner: Learner) -> Iterator[Problem]:
    named = [(name, p) for name, p in learner.named_parameters() if p.requires_grad and p.grad is None]
    for prefix, part in _parts(learner).items():
        lost = [name.removeprefix(prefix) for name, _ in named if name.startswith(prefix)]
        lost = [name for name in lost if name not in part.may_be_idle]
        if lost:
            yield Problem(
                _label(part),
                ", ".join(lost),
                "no gradient reaches it: use it in forward, remove it, or list it in may_be_idle with the reason",
            )


def _not_finite(learner: Learner) -> Iterator[Problem]:
    """Gradients that would destroy the weights at the first step, though the loss itself is finite."""
    grads = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    broken = [name for name, grad in grads.items() if not bool(torch.isfinite(grad).all())]
    for prefix, part in _parts(learner).items():
        own = [name.removeprefix(prefix) for name in broken if name.startswith(prefix)]
        if own:
            yield Problem(
                _label(part), "gradients", f"must be finite (got NaN or Inf in {len(own)}, the first that of {own[0]})"
            )


def _all_zero(learner: Learner) -> list[str]:
    grads = {name: p.grad for name, p in learner.named_parameters() if p.grad is not None}
    zero = [name for name, grad in grads.items() if not bool(grad.any())]
    idle = {f"{prefix}{name}" for prefix, part in _parts(learner).items() for name in part.may_be_idle}
    return [f"the gradient of {name} was all zeros in the probe" for name in zero if name not in idle]


def _names(items: Mapping[Stream, object] | Mapping[str, object] | Sequence[Stream]) -> str:
    return ", ".join(str(item) for item in items) or "none"
