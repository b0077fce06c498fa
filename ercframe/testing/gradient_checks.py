"""Checks that gradients arrive everywhere, and are numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ercframe.data.dialogue import Dialogue, collate
from ercframe.testing.trial import FusionTrial, Trial, mixture
from ercframe.testing.verdicts import ABSOLUTE, RELATIVE, NotApplicableError, require, require_finite, require_same

LONG = 200


def every_parameter_learns(trials: Sequence[Trial]) -> None:
    """Every parameter must get a gradient, in some scene not all zeros, or be in ``may_be_idle`` with the reason.

    A parameter out of reach is a layer that is silently dead. What ``may_be_idle`` names must exist, and must be idle
    in some scene: a list that is out of date hides the next dead layer.
    """
    learned, idle, excused = set[str](), set[str](), dict[str, str]()
    for trial in trials:
        part = trial.build().train()
        excused |= part.may_be_idle
        usual, alone = _of_parameters(trial, part), _of_parameters(trial, part, lengths=(1, 1))
        lost = [name for name, gradient in usual.items() if gradient is None and name not in excused]
        require(not lost, f"{_scene(trial)}: every parameter must get a gradient (none reaches {lost})")
        learned |= {name for name, gradient in usual.items() if _arrives(gradient)}
        idle |= {name for name in usual if not (_arrives(usual[name]) and _arrives(alone[name]))}
    dead = sorted(idle - learned - set(excused))
    require(not dead, f"every parameter must get a gradient that is not all zeros in some scene ({dead} never do)")
    unexplained = [name for name, reason in excused.items() if not reason.strip()]
    require(not unexplained, f"may_be_idle must give a reason (got none for {unexplained})")
    busy = sorted(set(excused) - idle)
    require(not busy, f"may_be_idle must name parameters that can be idle ({busy} are not)")


def every_input_is_read(trials: Sequence[Trial]) -> None:
    """A gradient must reach what comes before: for an encoder every modality, for a fusion every stream.

    A fusion may read each modality's own stream only, provided that it leaves *all* other streams alone: the probe
    before training then refuses an encoder that emits them. A classifier or loss must read something. What the task is
    learned from, a fusion's joint representation and a classifier's logits, must pass a gradient on by itself.
    """
    for trial in trials:
        outputs, gradients = trial.with_gradients(trial.build(), trial.batch())
        names = list(trial.inputs(trial.batch()))
        read = {name for name in names if _arrives(gradients[name])}
        if isinstance(trial, FusionTrial):
            own = {name for name, s in zip(names, trial.spec.widths, strict=True) if s.target == s.source}
            needed = own if read <= own else set(names)
        else:
            needed = set(names) if trial.component.kind == "encoder" else set()
        missed = sorted(needed - read)
        require(not missed, f"{_scene(trial)}: a gradient must reach every input (none reaches {missed})")
        require(bool(read), f"{_scene(trial)}: a gradient must reach an input (none reaches any of {names})")
        cut = [name for name in ("joint", "logits") if name in outputs and not outputs[name].requires_grad]
        require(not cut, f"{_scene(trial)}: a gradient must pass through {cut} (it is cut off, as by detach)")


def missing_modalities_stay_finite(trial: Trial) -> None:
    """Outputs and gradients must be finite when an utterance, or everybody, lacks a modality, or all of them.

    A missing row is zeros: a norm, an angle or a softmax over nothing gives NaN there, at the latest in its gradient.
    """
    modalities = tuple(trial.scene.dataset.modalities)
    for lacking in [*((m,) for m in modalities), modalities]:
        part = trial.build()
        for training in (True, False):
            outputs, gradients = trial.with_gradients(part.train(training), trial.batch(lacking=lacking))
            require_finite(f"outputs without {', '.join(lacking)}", outputs)
            require_finite(f"gradients without {', '.join(lacking)}", gradients)


def single_utterance_is_enough(trial: Trial) -> None:
    """A batch of one dialogue of one utterance must work in training, too.

    It occurs: the last batch of an epoch takes what is left. Statistics over rows are not defined there.
    """
    part = trial.build()
    for training in (True, False):
        outputs, gradients = trial.with_gradients(part.train(training), trial.batch(lengths=(1,), unscored=False))
        require_finite("outputs for a single utterance", outputs)
        require_finite("gradients for a single utterance", gradients)


def long_dialogue_is_accepted(trial: Trial) -> None:
    """A dialogue of 200 utterances, longer than most corpora have, must work, with finite outputs.

    Fixed tables of positions end before real conversations do. Tried in one scene.
    """
    part = trial.build()
    outputs = trial.run(part, trial.batch(lengths=(LONG, 1)))
    require_finite(f"outputs for a dialogue of {LONG} utterances", outputs)


def ranks_add_up(trial: Trial) -> None:
    """Dialogues divided over two processes must give the gradients of one process, added up, for the same parameters.

    That is what distributed training and accumulated batches do. A parameter that gets a gradient in one process and
    none in the other (say, since there all dialogues are short) makes them wait for each other for ever, unless
    ``may_be_idle`` names it.
    """
    part = trial.build()
    if getattr(part, "couples_rows", False):
        raise NotApplicableError("couples_rows is True")
    first, single, *others = trial.dialogues()
    ranks = [[first, *others], [single]]
    if not any(p.requires_grad for p in part.parameters()):
        raise NotApplicableError("it has no parameters")
    rows = sum(map(len, ranks[0])) if trial.rowwise else 0
    outputs, whole = _added(trial, part, [*ranks[0], *ranks[1]], 0)
    divided = _added(trial, part, ranks[0], 0), _added(trial, part, ranks[1], rows)
    if trial.rowwise and not _same_rows(outputs, *(found for found, _ in divided)):
        raise NotApplicableError("its results depend on the other dialogues, see dialogue_alone_gives_the_same")
    halves = [found for _, found in divided]
    apart = [n for n in whole if (halves[0][n] is None) != (halves[1][n] is None) and n not in part.may_be_idle]
    require(not apart, f"both processes must have a gradient for the same parameters (only one has of {apart})")
    summed = {name: _sum(halves[0][name], halves[1][name]) for name in whole}
    require_same("gradients of two processes must add up to those of one", summed, whole)


def _added(
    trial: Trial, part: torch.nn.Module, rank: list[Dialogue], first_row: int
) -> tuple[dict[str, Tensor], dict[str, Tensor | None]]:
    """The outputs of one process and the gradient of every parameter."""
    outputs = trial.run(part, collate(rank))
    named = {name: p for name, p in part.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(mixture(outputs, first_row), list(named.values()), allow_unused=True)
    return outputs, dict(zip(named, found, strict=True))


def _same_rows(whole: dict[str, Tensor], *parts: dict[str, Tensor]) -> bool:
    joined = {name: torch.cat([part[name] for part in parts]) for name in whole}
    return all(torch.allclose(joined[name], x, RELATIVE, ABSOLUTE) for name, x in whole.items())


def _sum(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return second if first is None else first if second is None else first + second


def _of_parameters(trial: Trial, part: torch.nn.Module, **options: object) -> dict[str, Tensor | None]:
    """The gradient of every trained parameter, by its name."""
    _, gradients = trial.with_gradients(part, trial.batch(**options))
    return {name: gradients[f"parameter {name}"] for name, p in part.named_parameters() if p.requires_grad}


def _arrives(gradient: Tensor | None) -> bool:
    return gradient is not None and bool(gradient.any())


def _scene(trial: Trial) -> str:
    return f"in the scene '{trial.scene.name}'"
