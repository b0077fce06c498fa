"""Small parts of a model, each with one fault; ``breaks`` names the checks that must find it, and no others."""

import random
from typing import ClassVar

import torch
from pydantic import ConfigDict, Field, field_serializer
from torch import nn

from ercframe import (
    Classifier,
    ComponentConfig,
    Decision,
    Encoder,
    FusedSpec,
    Fusion,
    FusionOutput,
    Stream,
    Streams,
    StreamSpec,
)

# Shape letters: B dialogues, L longest dialogue, N utterances, M modalities, D features.

WIDTH = 4


def dialogue_sums(x_ND, layout):
    """Sum over each utterance's dialogue, ``(N, D)``."""
    sums_BD = x_ND.new_zeros(layout.dialogues, x_ND.shape[-1]).index_add(0, layout.dialogue, x_ND)
    return sums_BD[layout.dialogue]


class Documented:
    """Gives every class the docstring that the contract asks for, unless it has its own."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "__doc__" not in cls.__dict__ or cls.__doc__ is None:
            cls.__doc__ = "Has at most one fault."


class SoundEncoder(Documented, Encoder):
    name = "sound"
    breaks: ClassVar[set[str]] = set()
    sees_future = False

    def __init__(self, config, dataset):
        super().__init__()
        self.maps = nn.ModuleDict({m: nn.Linear(width, WIDTH) for m, width in dataset.modalities.items()})
        self.spec = StreamSpec({Stream(m, m): WIDTH for m in dataset.modalities})

    def forward(self, features, context):
        mapped = {m: self.maps[m](x) for m, x in features.items()}
        return Streams({Stream(m, m): self.spoil(x, context) for m, x in mapped.items()})

    def spoil(self, x_ND, context):
        return x_ND


class SoundFusion(Documented, Fusion):
    name = "sound"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config, dataset, streams):
        super().__init__()
        self.modalities = tuple(streams.own_widths())
        self.score = nn.Linear(streams.width, 1)
        self.spec = FusedSpec(streams.width, dict.fromkeys(self.modalities, streams.width))

    def forward(self, streams, context):
        x_NMD = torch.stack([streams.intra(m) for m in self.modalities], dim=1)
        weights_NM = self.weigh(self.score(x_NMD).squeeze(-1))
        return FusionOutput(
            (weights_NM[..., None] * x_NMD).sum(1),
            dict(zip(self.modalities, x_NMD.unbind(1), strict=True)),
            {"modality": weights_NM},
        )

    def weigh(self, score_NM):
        return score_NM.softmax(-1)


class SoundClassifier(Documented, Classifier):
    name = "sound"
    breaks: ClassVar[set[str]] = set()

    def __init__(self, config, dataset, fused):
        super().__init__()
        self.map = nn.Linear(fused.width, len(dataset.labels))

    def forward(self, fused, context):
        return Decision(self.map(fused.joint))


class ForgetsASetting(SoundEncoder):
    breaks = {"settings_survive_yaml"}

    class Config(ComponentConfig):
        scale: float = Field(0.5, description="Any number.")

        @field_serializer("scale")
        def _rounded(self, scale: float) -> int:
            return int(scale)


class TakesUnknownKeys(SoundEncoder):
    breaks = {"settings_are_strict"}

    class Config(ComponentConfig):
        model_config = ConfigDict(extra="ignore")


class PromisesAnotherWidth(SoundEncoder):
    breaks = {"shapes_as_promised"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.spec = StreamSpec(dict.fromkeys(self.spec.widths, WIDTH + 1))


class ForgetsAStream(SoundEncoder):
    breaks = {"shapes_as_promised"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.spec = StreamSpec(self.spec.widths | {Stream("text", "smell"): WIDTH})


class HasInfiniteOutput(SoundClassifier):
    """Gradients are finite: infinity is only added."""

    breaks = {
        "shapes_as_promised",
        "missing_modalities_stay_finite",
        "single_utterance_is_enough",
        "autocast_stays_finite",
        "long_dialogue_is_accepted",
    }

    def forward(self, fused, context):
        return Decision(self.map(fused.joint) + torch.inf)


class SumsOverGaps(SoundEncoder):
    breaks = {"gaps_are_not_read"}
    sees_future = True

    def spoil(self, x_ND, context):
        return x_ND + context.layout.to_padded(x_ND).sum(1)[context.layout.dialogue]


class AttendsToGaps(SoundEncoder):
    """As a cross-attention without a mask does: the number of gaps also depends on the other dialogues."""

    breaks = {"gaps_are_not_read", "dialogue_alone_gives_the_same"}
    sees_future = True

    def spoil(self, x_ND, context):
        x_BLD = context.layout.to_padded(x_ND)
        return context.layout.from_padded(nn.functional.scaled_dot_product_attention(x_BLD, x_BLD, x_BLD))


class CountsDialogues(SoundEncoder):
    breaks = {"order_of_dialogues_is_free", "dialogue_alone_gives_the_same"}

    def spoil(self, x_ND, context):
        return x_ND * (1 + context.layout.dialogue[:, None])


class CentresTheBatch(SoundEncoder):
    breaks = {"dialogues_are_independent", "dialogue_alone_gives_the_same", "future_is_as_declared"}

    def spoil(self, x_ND, context):
        return x_ND - x_ND.mean(0)


class DividesByBatchSize(SoundEncoder):
    breaks = {"dialogue_alone_gives_the_same"}

    def spoil(self, x_ND, context):
        return x_ND / context.layout.dialogues


class LooksAhead(SoundEncoder):
    breaks = {"future_is_as_declared"}

    def spoil(self, x_ND, context):
        return x_ND + dialogue_sums(x_ND, context.layout)


class OverwritesSpeakers(SoundEncoder):
    """As SDT's released code does with those of padded rows."""

    breaks = {"inputs_are_not_changed"}

    def spoil(self, x_ND, context):
        context.speaker.clamp_(max=1)
        return x_ND


class HasADeadLayer(SoundEncoder):
    breaks = {"every_parameter_learns"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.norm = nn.LayerNorm(WIDTH)


class HasALayerTimesZero(SoundEncoder):
    breaks = {"every_parameter_learns"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.more = nn.Linear(WIDTH, WIDTH)

    def spoil(self, x_ND, context):
        return x_ND + 0 * self.more(x_ND)


class DeclaresABusyLayerIdle(SoundClassifier):
    breaks = {"every_parameter_learns"}
    may_be_idle = {"map.bias": "it is not"}


class GivesNoReason(HasADeadLayer):
    may_be_idle = {"norm.weight": "not used yet", "norm.bias": " "}


class ReadsTheFirstModality(SoundFusion):
    breaks = {"every_input_is_read"}

    def forward(self, streams, context):
        x_ND = streams.intra(self.modalities[0])
        weights_NM = self.weigh(self.score(x_ND))
        joint_ND = x_ND * weights_NM.sum(-1, keepdim=True)
        return FusionOutput(joint_ND, dict.fromkeys(self.modalities, joint_ND))

    def weigh(self, score_NM):
        return score_NM.sigmoid()


class ReadsSomePairs(SoundFusion):
    """All own streams, and of the others only those into the first modality."""

    breaks = {"every_input_is_read"}

    def forward(self, streams, context):
        fused = super().forward(streams, context)
        return FusionOutput(fused.joint + sum(streams.into(self.modalities[0]).values()), fused.by_modality)


class CutsOffTheJoint(SoundFusion):
    """The modalities pass a gradient on, which alone would hide that the task learns nothing."""

    breaks = {"every_input_is_read"}

    def forward(self, streams, context):
        fused = super().forward(streams, context)
        return FusionOutput(fused.joint.detach(), fused.by_modality, fused.weights)


class ReadsNothing(SoundClassifier):
    breaks = {"every_input_is_read"}

    def forward(self, fused, context):
        return Decision(self.map(fused.joint.detach()))


class CastsToFloat32(SoundClassifier):
    breaks = {"dtype_is_followed"}

    def forward(self, fused, context):
        return Decision(super().forward(fused, context).logits.float())


class LeavesATensorOnTheHost(SoundClassifier):
    breaks = {"device_is_followed", "host_does_not_wait"}

    def forward(self, fused, context):
        logits = super().forward(fused, context).logits
        return Decision(logits + torch.ones(logits.shape[-1], dtype=logits.dtype))


class WaitsForAValue(SoundEncoder):
    """As comparing tensors to tell self-attention from cross-attention does."""

    breaks = {"device_is_followed", "host_does_not_wait"}

    def spoil(self, x_ND, context):
        return x_ND if x_ND.equal(x_ND) else -x_ND


class CopiesAListInEveryStep(SoundClassifier):
    breaks = {"host_does_not_wait"}

    def forward(self, fused, context):
        logits = super().forward(fused, context).logits
        return Decision(logits * logits.new_tensor([0.5] * logits.shape[-1]))


class CopiesATensorInEveryStep(SoundClassifier):
    breaks = {"host_does_not_wait"}

    def forward(self, fused, context):
        logits = super().forward(fused, context).logits
        return Decision(logits * torch.full(logits.shape[1:], 0.5, dtype=logits.dtype).to(logits.device))


class IndexesWithAList(SoundClassifier):
    breaks = {"host_does_not_wait"}

    def forward(self, fused, context):
        logits = super().forward(fused, context).logits
        return Decision(logits[:, list(range(logits.shape[-1]))])


class _Logged(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        gradient.sum().item()
        return gradient


class WaitsInBackward(SoundClassifier):
    breaks = {"host_does_not_wait"}

    def forward(self, fused, context):
        return Decision(_Logged.apply(super().forward(fused, context).logits))


class DividesByANorm(SoundEncoder):
    """The norm of a dialogue's features is 0 where all of its utterances lack the modality."""

    breaks = {"missing_modalities_stay_finite"}
    sees_future = True

    def forward(self, features, context):
        squares = {m: dialogue_sums(x**2, context.layout).sum(-1, keepdim=True) for m, x in features.items()}
        return super().forward({m: x / squares[m].sqrt() for m, x in features.items()}, context)


class NormalisesTheBatch(SoundEncoder):
    breaks = {"single_utterance_is_enough"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.norm = nn.BatchNorm1d(WIDTH)

    def spoil(self, x_ND, context):
        return self.norm(x_ND)


class RoundsToOne(SoundClassifier):
    """1 - 0.9997 is 0 in bfloat16."""

    breaks = {"autocast_stays_finite"}

    def forward(self, fused, context):
        return Decision(torch.log(1 - torch.sigmoid(8 + 0.01 * self.map(fused.joint))))


class DrawsFromPython(SoundEncoder):
    breaks = {"results_repeat"}

    def spoil(self, x_ND, context):
        return x_ND * random.random() if self.training else x_ND


class DropsOutAlways(SoundClassifier):
    """Nothing that compares two results can succeed then."""

    breaks = {
        "results_repeat",
        "gaps_are_not_read",
        "order_of_dialogues_is_free",
        "dialogues_are_independent",
        "dialogue_alone_gives_the_same",
        "future_is_as_declared",
        "checkpoint_restores",
        "a_copy_gives_the_same",
    }

    def forward(self, fused, context):
        return Decision(nn.functional.dropout(super().forward(fused, context).logits, training=True))


class KeepsStateToItself(SoundClassifier):
    breaks = {"checkpoint_restores"}

    def __init__(self, config, dataset, fused):
        super().__init__(config, dataset, fused)
        self.register_buffer("offset", torch.rand(len(dataset.labels)), persistent=False)

    def forward(self, fused, context):
        return Decision(self.map(fused.joint) + self.offset)


class WeighsWithoutSum(SoundFusion):
    breaks = {"weights_are_distributions"}

    def weigh(self, score_NM):
        return score_NM.sigmoid()


class WeighsNegatively(SoundFusion):
    breaks = {"weights_are_distributions"}

    def weigh(self, score_NM):
        weights_NM = 3 * score_NM.softmax(-1)
        return torch.cat([1 - weights_NM.sum(-1, keepdim=True) + weights_NM[:, :1], weights_NM[:, 1:]], -1)


class WeighsOneModalityTwice(SoundClassifier):
    breaks = {"weights_are_distributions"}

    def forward(self, fused, context):
        half_N2 = torch.full_like(fused.joint[:, :2], 0.5)
        return Decision(self.map(fused.joint), {"modality": torch.cat([half_N2 / 2, half_N2 / 2], -1)})


class IsDifferentWhenCompiled(SoundClassifier):
    breaks = {"compiled_gives_the_same"}

    def forward(self, fused, context):
        logits = self.map(fused.joint)
        return Decision(2 * logits if torch.compiler.is_compiling() else logits)


class LeavesASettingUnexplained(SoundEncoder):
    breaks = {"class_is_usable"}

    class Config(ComponentConfig):
        scale: float = 1.0


class CrashesOnTwoModalities(SoundFusion):
    breaks = {"constructor_builds_or_refuses"}

    def __init__(self, config, dataset, streams):
        super().__init__(config, dataset, streams)
        if len(self.modalities) == 2 and "text" in self.modalities:
            self.first, self.second, self.third = self.modalities


class BuildsNowhere(SoundFusion):
    breaks = {"constructor_builds_or_refuses"}

    def __init__(self, config, dataset, streams):
        raise ValueError("needs a corpus of smells")


class AlwaysReadsText(SoundEncoder):
    breaks = {"any_corpus_fits"}

    def spoil(self, x_ND, context):
        return x_ND * context.available["text"].to(x_ND)[:, None].add(1)


class KnowsFourEmotions(SoundClassifier):
    breaks = {"any_corpus_fits"}

    def __init__(self, config, dataset, fused):
        super().__init__(config, dataset, fused)
        self.map = nn.Linear(fused.width, 4)


class KnowsThreeSpeakers(SoundEncoder):
    """The fourth row is that of somebody unknown."""

    breaks = {"any_corpus_fits"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.people = nn.Embedding(4, WIDTH)

    def spoil(self, x_ND, context):
        return x_ND + self.people(context.speaker)


class HasATableOfPositions(SoundEncoder):
    breaks = {"long_dialogue_is_accepted"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.positions = nn.Embedding(64, WIDTH)

    def spoil(self, x_ND, context):
        return x_ND + self.positions(context.layout.position)


class LeavesOutItsMemoryWhereItIsShort(SoundEncoder):
    """Of a dialogue of one utterance there is nothing to remember, so the results are the same."""

    breaks = {"ranks_add_up"}

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.memory = nn.Linear(WIDTH, WIDTH, bias=False)

    def spoil(self, x_ND, context):
        if context.layout.longest == 1:
            return x_ND
        has_past_N1 = (context.layout.position > 0)[:, None]
        return x_ND + self.memory(x_ND.roll(1, dims=0)) * has_past_N1


class AveragesItsGradient(SoundEncoder):
    breaks = {"ranks_add_up"}

    def spoil(self, x_ND, context):
        if x_ND.requires_grad:
            x_ND.register_hook(lambda gradient: gradient / context.layout.dialogues)
        return x_ND


class KeepsItsLastOutput(SoundEncoder):
    breaks = {"a_copy_gives_the_same"}

    def spoil(self, x_ND, context):
        self.last = x_ND
        return x_ND
