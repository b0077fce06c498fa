"""Compare this project's SDT with tensors that the released code computed in float64.

    python tests/golden/check.py FILE.npz...

prints, for each file, one line per group with the largest absolute error. The exit code is 1 where an error is above
1e-9, 2 where a file cannot be compared. The model is built from the registry with the file's settings; its batch,
objective and optimizer are those of every run.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from golden_file import MODALITIES, Golden, UnusableFileError
from pydantic import ValidationError
from torch import Tensor

from ercframe import Batch, DatasetInfo, ModelOutput, ModelSpec
from ercframe.model import Learner, Model
from ercframe.objective import Objective, mean
from ercframe.plugins import load
from ercframe.registry import Registry
from ercframe.settings import OptimizerSettings
from ercframe.trainer import make_optimizer

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
    theirs = dict(parameter_names(learned_gates=golden.meta["unimodal_gate"] == "learned"))
    _load(learner, golden, theirs)
    batch = golden.batch()
    output, terms = learner(batch)
    loss = learner.objective.total(terms)
    loss.backward()
    values = {name.partition(".")[2]: mean(term) for name, term in terms.items()}
    values["task"] = values.pop("nll")
    errors = _output_errors(golden, learner, output)
    errors |= {f"loss {name}": _error(golden, {f"loss/{name}": x}) for name, x in (values | {"total": loss}).items()}
    errors["gradients"] = _gradient_error(golden, learner, theirs)
    return errors | _trajectory_errors(golden, learner, theirs, batch)


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
    except (ValidationError, ValueError) as error:
        raise UnusableFileError(f"meta must describe a model ({error})") from error
    finally:
        torch.set_default_dtype(dtype)


def _learner(registry: Registry, info: DatasetInfo, meta: Mapping[str, object], weights: object) -> Learner:
    def part(kind: str, name: str, before: Sequence[object] = (), **settings: object):
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


def parameter_names(learned_gates: bool) -> Iterator[tuple[str, str]]:
    """Pairs of this project's module name and the released one, of all that have parameters."""
    yield "model.encoder.speaker", "speaker_embeddings"
    yield "model.fusion.choose", "last_gate.fc"
    yield "model.classifier.score", "all_output_layer"
    for t, target in LETTERS.items():
        yield f"model.encoder.project.{target}", f"{INPUTS[target]}_input"
        yield f"model.fusion.reduce.{target}", f"features_reduce_{t}"
        yield f"objective.losses.distill.students.{target}.2", f"{t}_output_layer.2"
        for s, source in LETTERS.items():
            pair = f"{target}_from_{source}"
            if learned_gates:
                yield f"model.fusion.gates.{pair}.score", f"{s}_{t}_gate.fc"
            yield from ((f"model.encoder.pairs.{pair}.{ours}", f"{s}_{t}.{theirs}") for theirs, ours in PAIR.items())


def _their_name(name: str, theirs: Mapping[str, str]) -> str:
    module, _, kind = name.rpartition(".")
    return f"{theirs[module]}.{kind}"


def _load(learner: Learner, golden: Golden, theirs: Mapping[str, str]) -> None:
    """Start from the file's parameters."""
    start = golden.under("param")
    with torch.no_grad():
        for name, parameter in learner.named_parameters():
            other = _their_name(name, theirs)
            golden.require([f"param/{other}"])
            if start[other].numel() != parameter.numel():
                expected, got = tuple(parameter.shape), tuple(start[other].shape)
                raise UnusableFileError(f"param/{other} must have the shape {expected} (got {got})")
            parameter.copy_(start[other].reshape(parameter.shape))
    if golden.meta["unimodal_gate"] == "silu":
        gates = {name: x for name, x in start.items() if name.endswith("_gate.fc.weight") and name[:5] != "last_"}
        if any((x != torch.eye(len(x))).any() for x in gates.values()):
            raise UnusableFileError("unimodal_gate 'silu' must go with identity matrices in param/S_T_gate.fc.weight")


def _output_errors(golden: Golden, learner: Learner, output: ModelOutput) -> dict[str, float]:
    """At temperature 1, and at the file's temperature."""
    students = learner.objective.predictions(output)
    logits = {m: students[f"distill.{m}"] for m in MODALITIES} | {"joint": output.decision.logits}
    soft = {name: x / float(golden.meta["temperature"]) for name, x in logits.items()}
    plain = {f"output/logp_{name}": x.log_softmax(-1) for name, x in logits.items()}
    plain["output/prob_joint"] = logits["joint"].softmax(-1)
    softened = {f"output/logp_{m}_T": soft[m].log_softmax(-1) for m in MODALITIES}
    softened["output/prob_joint_T"] = soft["joint"].softmax(-1)
    return {"outputs": _row_error(golden, plain), "outputs at temperature": _row_error(golden, softened)}


def _gradient_error(golden: Golden, learner: Learner, theirs: Mapping[str, str]) -> float:
    """Against zeros where no gradient reached the released parameter."""
    ours = {f"grad/{_their_name(name, theirs)}": p.grad for name, p in learner.named_parameters()}
    zeros = {name: torch.zeros_like(x) for name, x in ours.items() if name not in golden.arrays}
    return _error(Golden({**golden.arrays, **zeros}, golden.meta), ours)


def _trajectory_errors(golden: Golden, learner: Learner, theirs: Mapping[str, str], batch: Batch) -> dict[str, float]:
    """Of the objective at each step and of the parameters after the last one."""
    steps = int(golden.meta["steps"])
    settings = OptimizerSettings(lr=golden.meta["lr"], weight_decay=golden.meta["weight_decay"])
    optimizer = make_optimizer(settings, learner)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = learner.objective.total(learner(batch)[1])
        loss.backward()
        for name, parameter in learner.named_parameters():
            if f"grad/{_their_name(name, theirs)}" not in golden.arrays:
                parameter.grad = None
        optimizer.step()
        losses.append(loss)
    after = {f"after/{_their_name(name, theirs)}": p for name, p in learner.named_parameters()}
    return {
        f"loss in {steps} Adam steps": _error(golden, {"trajectory/loss": torch.stack(losses)}),
        f"parameters after {steps} Adam steps": _error(golden, after),
    }


def _row_error(golden: Golden, ours: Mapping[str, Tensor]) -> float:
    golden.require(ours)
    return _error(Golden({name: golden.rows(golden.arrays[name]) for name in ours}, golden.meta), ours)


def _error(golden: Golden, ours: Mapping[str, Tensor]) -> float:
    """Largest absolute difference of arrays by name; NaN where one is."""
    golden.require(ours)
    worst = []
    for name, x in ours.items():
        expected = golden.arrays[name]
        if expected.numel() != x.numel():
            raise UnusableFileError(f"{name} must have the shape {tuple(x.shape)} (got {tuple(expected.shape)})")
        worst.append((x.detach() - expected.reshape(x.shape)).abs().max())
    return float(torch.stack(worst).max())


def main(paths: Sequence[str]) -> int:
    """Compare files, print, and return the exit code."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    codes = [_report(Path(path)) for path in paths]
    return max(codes)


def _report(path: Path) -> int:
    print(path)
    try:
        errors = compare(Golden.read(path))
    except UnusableFileError as error:
        print(f"{path} cannot be compared: {error}", file=sys.stderr)
        return 2
    for group, error in errors.items():
        print(f"  {group:<32} {error:.1e}{'' if error <= TOLERANCE else f'  above {TOLERANCE:.0e}'}")
    return 1 if any(math.isnan(e) or e > TOLERANCE for e in errors.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
