"""A component with parameters, built in a scene and run on tensors that stand in for the parts before it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import Tensor

from ercframe.components import Classifier, ComponentConfig, Encoder, Fusion, Loss, Part
from ercframe.data.dialogue import Dialogue, collate
from ercframe.specs import FusedSpec, ModelSpec, StreamSpec
from ercframe.tensors import Batch, Decision, FusionOutput, ModelOutput, Stream, Streams, Term
from ercframe.testing.scenes import Scene
from ercframe.testing.verdicts import require, require_finite

# Shape letters: N utterances, M modalities, D features, C emotions.

Returned = TypeVar("Returned")


class Trial(ABC):
    """How to build a component in a scene, what to feed it and what comes out, in the same words for every kind.

    Inputs and outputs are tensors by name. An input is a fixed linear map of the features, row by row, so it has the
    same holes as they have, follows its utterance into any batch, and tells nothing of other utterances.

    Attributes:
        rowwise: whether outputs have one row per utterance; the terms of a loss have not.
    """

    rowwise: ClassVar[bool] = True

    def __init__(self, component: type[Part], config: ComponentConfig, scene: Scene) -> None:
        self.component, self.config, self.scene = component, config, scene

    def build(self, seed: int = 0) -> Any:
        """A freshly initialised component in eval mode."""
        constructor: Any = self.component
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return constructor(self.config, self.scene.dataset, *self.scene.before).eval()

    def batch(self, **options: Any) -> Batch:
        """A batch of the scene's corpus; options as in :func:`example_batch`."""
        return collate(self.dialogues(**options))

    def dialogues(self, **options: Any) -> list[Dialogue]:
        """The scene's conversations; options as in :func:`example_dialogues`."""
        return self.scene.dialogues(**options)

    def works(self) -> None:
        """Run it once and look at what it returns.

        Raises:
            ContractError: a shape is not as promised, or a value is not finite.
        """
        part, batch = self.build(), self.batch()
        outputs, promised = self.run(part, batch), self.promised(part, batch)
        got = {name: tuple(x.shape) for name, x in outputs.items() if not name.startswith("weights ")}
        require(got == promised or not promised, f"outputs must have the shapes {promised} (got {got})")
        require_finite("outputs", outputs)

    @abstractmethod
    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        """What the component reads of a batch, by name, ``(N, *)``."""

    @abstractmethod
    def outputs(self, part: Any, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Run the component; what it returns, by name."""

    @abstractmethod
    def promised(self, part: Any, batch: Batch) -> dict[str, tuple[int, ...]]:
        """The shape of every output that the component must return."""

    def run(self, part: Any, batch: Batch) -> dict[str, Tensor]:
        """Run the component on what it reads of a batch."""
        return self.outputs(part, self.inputs(batch), batch)

    def with_gradients(self, part: Any, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor | None]]:
        """Outputs, and the gradient of :func:`mixture` for every input and parameter, None where none arrives."""
        inputs = {name: x.detach().clone().requires_grad_() for name, x in self.inputs(batch).items()}
        outputs = self.outputs(part, inputs, batch)
        leaves = inputs | {f"parameter {name}": p for name, p in part.named_parameters() if p.requires_grad}
        found = torch.autograd.grad(mixture(outputs), list(leaves.values()), allow_unused=True)
        return outputs, dict(zip(leaves, found, strict=True))


class EncoderTrial(Trial):
    """Features in, streams out."""

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        return dict(batch.features)

    def outputs(self, part: Encoder, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        return _named("stream", _returned(Streams, part(inputs, batch.context)))

    def promised(self, part: Encoder, batch: Batch) -> dict[str, tuple[int, ...]]:
        return _named("stream", {s: (_rows(batch), width) for s, width in part.spec.widths.items()})


class FusionTrial(Trial):
    """Streams in, a joint representation out."""

    @property
    def spec(self) -> StreamSpec:
        """The streams that the fusion is built on."""
        spec: StreamSpec = self.scene.before[0]
        return spec

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        return _streams(self.spec, batch)

    def outputs(self, part: Fusion, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        streams = Streams(dict(zip(self.spec.widths, inputs.values(), strict=True)))
        fused = _returned(FusionOutput, part(streams, batch.context))
        return {"joint": fused.joint} | _named("modality", fused.by_modality) | _named("weights", fused.weights)

    def promised(self, part: Fusion, batch: Batch) -> dict[str, tuple[int, ...]]:
        rows, spec = _rows(batch), part.spec
        return {"joint": (rows, spec.width)} | _named("modality", {m: (rows, w) for m, w in spec.by_modality.items()})


class ClassifierTrial(Trial):
    """A fused representation in, logits out."""

    @property
    def spec(self) -> FusedSpec:
        """The fused representation that the classifier is built on."""
        spec: FusedSpec = self.scene.before[0]
        return spec

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        return _fused(self.spec, batch)

    def outputs(self, part: Classifier, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        decision = _returned(Decision, part(_fusion_output(self.spec, inputs), batch.context))
        return {"logits": decision.logits} | _named("weights", decision.weights)

    def promised(self, part: Classifier, batch: Batch) -> dict[str, tuple[int, ...]]:
        return {"logits": (_rows(batch), len(self.scene.dataset.labels))}


class LossTrial(Trial):
    """All that a model computed in, the totals of the terms out."""

    rowwise = False

    @property
    def spec(self) -> ModelSpec:
        """The model that the loss is built on."""
        spec: ModelSpec = self.scene.before[0]
        return spec

    def inputs(self, batch: Batch) -> dict[str, Tensor]:
        logits_NC = stand_in(_all(batch), len(self.scene.dataset.labels), "logits")
        return {"logits": logits_NC} | _streams(self.spec.streams, batch) | _fused(self.spec.fused, batch)

    def model_output(self, inputs: Mapping[str, Tensor]) -> ModelOutput:
        """The output of a model that computed these tensors."""
        streams = Streams({stream: inputs[_stream_key(stream)] for stream in self.spec.streams.widths})
        return ModelOutput(streams, _fusion_output(self.spec.fused, inputs), Decision(inputs["logits"]))

    def outputs(self, part: Loss, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        return {name: term.total for name, term in self.terms(part, inputs, batch).items()}

    def terms(self, part: Loss, inputs: Mapping[str, Tensor], batch: Batch) -> dict[str, Term]:
        """The terms that the loss returns, both sides of each a tensor."""
        terms = _returned(dict, part(self.model_output(inputs), batch))
        for name, term in terms.items():
            for which in ("total", "count"):
                got = getattr(_returned(Term, term), which)
                require(isinstance(got, Tensor), f"the {which} of '{name}' must be a tensor (got {got!r:.60})")
        return terms

    def promised(self, part: Loss, batch: Batch) -> dict[str, tuple[int, ...]]:
        return {}


TRIALS: dict[str, type[Trial]] = {
    "encoder": EncoderTrial,
    "fusion": FusionTrial,
    "classifier": ClassifierTrial,
    "loss": LossTrial,
}


def _returned(kind: type[Returned], found: Any) -> Returned:
    """What ``forward`` returned, which must be of this kind."""
    require(isinstance(found, kind), f"forward must return {kind.__name__} (got {type(found).__name__})")
    return cast(Returned, found)


def mixture(outputs: Mapping[str, Tensor], first_row: int = 0) -> Tensor:
    """A sum of everything with a different weight for each number, so that no sum over features is constant.

    Rows from ``first_row`` on of a larger batch get the weights that they have there.
    """
    return torch.stack([(x * _weights(x, first_row)).sum() for x in outputs.values()]).sum()


def _weights(x: Tensor, first_row: int) -> Tensor:
    start = first_row * x[0].numel() if x.dim() else 0
    return torch.cos(torch.arange(start, start + x.numel(), device=x.device)).view_as(x)


def stand_in(x: Tensor, width: int, salt: str) -> Tensor:
    """A fixed linear map ``(N, D)`` to ``(N, width)``; another one for each salt."""
    angles = torch.arange(x.shape[-1] * width).view(x.shape[-1], width) * 1.7 + sum(map(ord, salt))
    return x @ torch.cos(angles).to(x)


def _all(batch: Batch) -> Tensor:
    return torch.cat(list(batch.features.values()), dim=-1)


def _of(batch: Batch, modalities: Iterable[str]) -> Tensor:
    """Features of these modalities; of all, for one that is none of the corpus, such as ``joint``."""
    found = [batch.features[m] for m in dict.fromkeys(modalities) if m in batch.features]
    return torch.cat(found, dim=-1) if found else _all(batch)


def _stream_key(stream: Stream) -> str:
    return f"stream {stream}"


def _streams(spec: StreamSpec, batch: Batch) -> dict[str, Tensor]:
    return {_stream_key(s): stand_in(_of(batch, s), width, str(s)) for s, width in spec.widths.items()}


def _fused(spec: FusedSpec, batch: Batch) -> dict[str, Tensor]:
    apart = {f"modality {m}": stand_in(_of(batch, [m]), width, m) for m, width in spec.by_modality.items()}
    return {"joint": stand_in(_all(batch), spec.width, "joint")} | apart


def _fusion_output(spec: FusedSpec, inputs: Mapping[str, Tensor]) -> FusionOutput:
    return FusionOutput(inputs["joint"], {m: inputs[f"modality {m}"] for m in spec.by_modality})


def _named(prefix: str, values: Mapping[Any, Any]) -> dict[str, Any]:
    return {f"{prefix} {key}": value for key, value in values.items()}


def _rows(batch: Batch) -> int:
    return batch.context.layout.utterances
