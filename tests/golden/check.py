"""Compare this project's SDT with tensors that the released code computed in float64.

    python tests/golden/check.py FILE.npz...

prints, for each file, one line per group with the largest absolute error. The exit code is 1 where an error is above
1e-9, 2 where a file cannot be compared. The model is built from the registry with the file's settings; its batch,
objective and optimizer are those of every run.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from golden_file import MODALITIES, Golden, UnusableFileError
from pydantic import ValidationError
from torch import Tensor

from ercframe import DatasetInfo, ModelOutput, ModelSpec
from ercframe.model import Learner, Model
from ercframe.objective import Objective, mean
from ercframe.plugins import load
from ercframe.registry import Registry
from ercframe.settings import OptimizerSettings
from ercframe.training.optimizer import make_optimizer

TOLERANCE = 1e-9
LETTERS = {"t": "text", "a": "audio", "v": "visual"}
INPUTS = {"text": "textf", "audio": "acouf", "visual": "visuf"}
PAIR = {
    "transformer_inter.0.self_attn.linear_q": "attention.query",
    "transformer_inter.0.self_attn.linear_k": "attention.key",
    "transformer_inter.0.self_attn.linear_v": "attention.value",
    "transformer_inter.0.self_attn.linear": "attention.output",
    "transformer_inter.0.feed_forward.layer_norm": "feed_forward.norm",
    "transformer_inter.0.feed_forward.w_1": "feed_forward.widen",
    "transformer_inter.0.feed_forward.w_2": "feed_forward.narrow",
}


def compare(golden: Golden) -> dict[str, float]:
    """The largest absolute error of each group.

    Raises:
        UnusableFileError: the file does not fit the model that its settings describe.
    """
    learner = build(golden)
    start(learner, golden)
    output, terms = learner(golden.batch())
    loss = learner.objective.total(terms)
    loss.backward()
    errors = _output_errors(golden, learner, output)
    losses = {name.partition(".")[2].replace("nll", "task"): mean(term) for name, term in terms.items()}
    for name, value in (losses | {"total": loss}).items():
        errors[f"loss {name}"] = _error(golden.arrays, {f"loss/{name}": value})
    errors["gradients"] = _gradient_error(golden, learner)
    return errors | _trajectory_errors(golden, learner)


def build(golden: Golden) -> Learner:
    """SDT with its losses, as the file's settings describe it, in float64."""
    meta, registry = golden.meta, load()
    info = DatasetInfo(
        name="golden",
        labels=tuple(f"emotion {i}" for i in range(int(meta["classes"]))),
        modalities={m: golden.arrays[f"input/{m}"].shape[-1] for m in MODALITIES},
        speakers=int(meta["speakers"]),
    )
    weights = golden.arrays["class_weight"].tolist() if meta["class_weighted"] else "none"
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return _learner(registry, info, meta, weights)
    except ValueError as error:
        raise UnusableFileError(f"meta must describe a model ({error})") from error
    finally:
        torch.set_default_dtype(dtype)


def _learner(registry: Registry, info: DatasetInfo, meta: Mapping[str, object], weights: object) -> Learner:
    def part(kind: str, name: str, before: Sequence[object] = (), **settings: object) -> Any:
        component = registry.get(kind, name)
        return component(component.Config(**settings), info, *before)

    encoder = part("encoder", "intra_inter_transformer", width=meta["hidden"], heads=meta["heads"], dropout=0)
    fusion = part("fusion", "hierarchical_gated", [encoder.spec], unimodal_gate=meta["unimodal_gate"])
    classifier = part("classifier", "linear", [fusion.spec])
    spec = [ModelSpec(encoder.spec, fusion.spec)]
    distill = {"temperature": meta["temperature"], "dropout": 0, "class_weights": weights}
    losses = {
        "task": part("loss", "cross_entropy", spec, class_weights=weights),
        "distill": part("loss", "self_distillation", spec, **distill),
    }
    gammas = {"task": meta["gamma_task"], "distill": {"hard": meta["gamma_hard"], "soft": meta["gamma_soft"]}}
    return Learner(Model(encoder, fusion, classifier), Objective(losses, gammas))


def start(learner: Learner, golden: Golden) -> None:
    """Give the learner the file's parameters.

    Raises:
        UnusableFileError: one is missing, has another shape, or is none of this model's.
    """
    theirs = dict(golden.under("param"))
    with torch.no_grad():
        for name, parameter in _named(learner):
            golden.require([f"param/{name}"])
            value = theirs.pop(name)
            value = value.squeeze(-1) if value.dim() == 3 else value  # a convolution of kernel 1
            if value.shape != parameter.shape:
                expected, got = tuple(parameter.shape), tuple(value.shape)
                raise UnusableFileError(f"param/{name} must have the shape {expected} (got {got})")
            parameter.copy_(value)
    _check_left_out(theirs, frozen_gates=golden.meta["unimodal_gate"] == "silu")


def _check_left_out(theirs: Mapping[str, Tensor], frozen_gates: bool) -> None:
    """What this model does not have must be without effect: unused normalisations, gates frozen at the identity."""
    for name, value in theirs.items():
        gate = frozen_gates and name.endswith("_gate.fc.weight")
        if gate and not torch.equal(value, torch.eye(len(value), dtype=value.dtype)):
            raise UnusableFileError(f"param/{name} must be the identity where meta.unimodal_gate is 'silu'")
        if not gate and ".transformer_inter.0.layer_norm." not in name:
            raise UnusableFileError(f"param/{name} must be a parameter of SDT")


def _named(learner: Learner) -> Iterator[tuple[str, Tensor]]:
    """The learner's parameters by their released names."""
    theirs = dict(_modules())
    for name, parameter in learner.named_parameters():
        module, _, kind = name.rpartition(".")
        yield f"{theirs[module]}.{kind}", parameter


def _modules() -> Iterator[tuple[str, str]]:
    """Pairs of this project's and the released name of each module that has parameters."""
    yield "model.encoder.speaker", "speaker_embeddings"
    yield "model.fusion.choose", "last_gate.fc"
    yield "model.classifier.score", "all_output_layer"
    for t, target in LETTERS.items():
        yield f"model.encoder.project.{target}", f"{INPUTS[target]}_input"
        yield f"model.fusion.reduce.{target}", f"features_reduce_{t}"
        yield f"objective.losses.distill.students.{target}.2", f"{t}_output_layer.2"
        for s, source in LETTERS.items():
            pair = f"{target}_from_{source}"
            yield f"model.fusion.gates.{pair}.score", f"{s}_{t}_gate.fc"
            yield from ((f"model.encoder.pairs.{pair}.{ours}", f"{s}_{t}.{theirs}") for theirs, ours in PAIR.items())


def _output_errors(golden: Golden, learner: Learner, output: ModelOutput) -> dict[str, float]:
    """At temperature 1, and at the file's temperature."""
    students = learner.objective.predictions(output)
    logits = {m: students[f"distill.{m}"] for m in MODALITIES} | {"joint": output.decision.logits}
    soft = {name: x / golden.meta["temperature"] for name, x in logits.items()}
    plain = {f"output/logp_{name}": x.log_softmax(-1) for name, x in logits.items()}
    plain["output/prob_joint"] = logits["joint"].softmax(-1)
    softened = {f"output/logp_{m}_T": soft[m].log_softmax(-1) for m in MODALITIES}
    softened["output/prob_joint_T"] = soft["joint"].softmax(-1)
    return {
        "outputs": _error({name: golden.rows(name) for name in plain}, plain),
        "outputs at temperature": _error({name: golden.rows(name) for name in softened}, softened),
    }


def _gradient_error(golden: Golden, learner: Learner) -> float:
    """Where no gradient reaches the released parameter, ours must be zero."""
    ours = {name: parameter.grad for name, parameter in _named(learner)}
    return _error({name: torch.zeros_like(x) for name, x in ours.items()} | golden.under("grad"), ours)


def _trajectory_errors(golden: Golden, learner: Learner) -> dict[str, float]:
    """Of the objective at each step of the optimizer, and of the parameters after the last one."""
    batch, steps, reached = golden.batch(), golden.meta["steps"], golden.under("grad")
    settings = OptimizerSettings(name="adam", lr=golden.meta["lr"], weight_decay=golden.meta["weight_decay"])
    optimizer = make_optimizer(settings, learner)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = learner.objective.total(learner(batch)[1])
        loss.backward()
        for name, parameter in _named(learner):
            if name not in reached:
                parameter.grad = None  # Adam's L2 moves only what has a gradient
        optimizer.step()
        losses.append(loss)
    after = {f"after/{name}": parameter for name, parameter in _named(learner)}
    return {
        f"loss in {steps} Adam steps": _error(golden.arrays, {"trajectory/loss": torch.stack(losses)}),
        f"parameters after {steps} Adam steps": _error(golden.arrays, after),
    }


def _error(expected: Mapping[str, Tensor], ours: Mapping[str, Tensor]) -> float:
    """Largest absolute difference of arrays by name; NaN where one is."""
    worst = []
    for name, x in ours.items():
        if name not in expected:
            raise UnusableFileError(f"must hold {name}")
        if expected[name].numel() != x.numel():
            got = tuple(expected[name].shape)
            raise UnusableFileError(f"{name} must have the shape {tuple(x.shape)} (got {got})")
        worst.append((x.detach() - expected[name].reshape(x.shape)).abs().max())
    return float(torch.stack(worst).max())


def main(paths: Sequence[str]) -> int:
    """Compare files, print, and return the exit code."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    return max([_report(Path(path)) for path in paths])


def _report(path: Path) -> int:
    print(path)
    try:
        errors = compare(Golden.read(path))
    except (UnusableFileError, ValidationError) as error:
        print(f"{path} cannot be compared: {error}", file=sys.stderr)
        return 2
    failed = {group for group, error in errors.items() if not error <= TOLERANCE}  # not ">": NaN must fail
    for group, error in errors.items():
        print(f"  {group:<32} {error:.1e}{f'  above {TOLERANCE:.0e}' if group in failed else ''}")
    return 1 if failed else 0


if __name__ == "__main__":
    torch.set_num_threads(1)  # the arrays are so small that threads would only wait for each other
    sys.exit(main(sys.argv[1:]))
