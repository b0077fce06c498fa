"""A model, and a model together with its losses."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ercframe.components import Classifier, Encoder, Fusion
from ercframe.objective import Objective
from ercframe.tensors import Batch, Context, ModelOutput, Term


class Model(nn.Module):
    """Encoder, fusion and classifier, one after the other: all that is needed to predict."""

    def __init__(self, encoder: Encoder, fusion: Fusion, classifier: Classifier) -> None:
        super().__init__()
        self.encoder, self.fusion, self.classifier = encoder, fusion, classifier

    @property
    def sees_future(self) -> bool:
        """True where an utterance's result may depend on later ones."""
        return any(part.sees_future for part in (self.encoder, self.fusion, self.classifier))

    def forward(self, features: Mapping[str, Tensor], context: Context) -> ModelOutput:
        """Run features ``(N, D)`` per modality through the three parts."""
        streams = self.encoder(features, context)
        fused = self.fusion(streams, context)
        return ModelOutput(streams, fused, self.classifier(fused, context))


class Learner(nn.Module):
    """A model and its losses as one module: one optimizer, one checkpoint with two parts."""

    def __init__(self, model: Model, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch) -> tuple[ModelOutput, dict[str, Term]]:
        """What the model computes for a batch, and the loss terms by name."""
        output = self.model(batch.features, batch.context)
        return output, self.objective(output, batch)
