"""Components with parameters: the parts of a model, and its losses."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from ercframe.components.base import Component
from ercframe.specs import FusedSpec, StreamSpec
from ercframe.tensors import Batch, Context, Decision, FusionOutput, ModelOutput, Streams, Term


class Part(Component, nn.Module):
    """A component with parameters.

    It is first built on the device ``meta``, where tensors have shapes but no values, to see that the parts fit: a
    constructor may make tensors but must not read them.

    Attributes:
        sees_future: True where an utterance's result may depend on later ones. Live prediction needs it False.
        causal_help: settings by which ``sees_future`` becomes False, such as ``("encoder.window={future: 0}",)``, for
            an error; empty where there are none.
        may_be_idle: parameters (names relative to the component) that may get no gradient, each with the reason.
    """

    sees_future: bool = False
    causal_help: ClassVar[tuple[str, ...]] = ()
    may_be_idle: Mapping[str, str] = {}

    def __init__(self) -> None:
        nn.Module.__init__(self)


class Encoder(Part):
    """Features to streams. Built from ``(config, dataset)``; sets ``spec``.

    Attributes:
        spec: the streams it emits and their widths.
        unread_help: a sentence for the error when a fusion leaves streams unread, such as the setting that emits
            fewer; may be empty.
    """

    kind = "encoder"
    spec: StreamSpec
    sees_future = True
    unread_help: ClassVar[str] = ""

    @abstractmethod
    def forward(self, features: Mapping[str, Tensor], context: Context) -> Streams:
        """Encode ``features`` (``(N, D)`` per modality) to one tensor ``(N, D)`` per stream."""


class Fusion(Part):
    """Streams to one joint representation. Built from ``(config, dataset, streams)``; sets ``spec``."""

    kind = "fusion"
    spec: FusedSpec

    @abstractmethod
    def forward(self, streams: Streams, context: Context) -> FusionOutput:
        """Fuse the streams, ``(N, D)`` each."""


class Classifier(Part):
    """The fused representation to logits. Built from ``(config, dataset, fused)``."""

    kind = "classifier"

    @abstractmethod
    def forward(self, fused: FusionOutput, context: Context) -> Decision:
        """Score every emotion: logits ``(N, C)``."""


class Loss(Part):
    """Named loss terms. Built from ``(config, dataset, model)``. May own parameters, such as auxiliary heads.

    Attributes:
        terms: names, or prefixes before an underscore, of the terms it returns; a recipe weighs each by its prefix.
        couples_rows: True where a term compares utterances with each other, as a contrastive loss does. Where several
            processes share a batch, it gets the utterances of all of them.
    """

    kind = "loss"
    terms: ClassVar[tuple[str, ...]]
    couples_rows: ClassVar[bool] = False

    @abstractmethod
    def forward(self, output: ModelOutput, batch: Batch) -> dict[str, Term]:
        """Sum each term over the scored rows. With nothing scored, totals are zeros attached to the graph."""

    def counts(self, batch: Batch) -> dict[str, Tensor]:
        """What the terms of :meth:`forward` will be divided by, from the batch alone: a scalar for each of ``terms``.

        Accumulated batches are divided by the sum of these, which must be known before the first backward pass. The
        number of scored utterances by default; a loss that weighs them, or leaves some out, says so here. It is not
        asked of a loss with ``couples_rows``.
        """
        return dict.fromkeys(self.terms, torch.full((), float(len(batch.scored)), device=batch.labels.device))

    def predictions(self, output: ModelOutput) -> dict[str, Tensor]:
        """Logits ``(N, C)`` of auxiliary heads, by name, for reports; none by default."""
        return {}
