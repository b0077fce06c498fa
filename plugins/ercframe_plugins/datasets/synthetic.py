"""Generated conversations of which the best possible accuracy is known."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from ercframe import ComponentConfig, Dataset, DatasetInfo, Dialogue, Layout, Utterance, collate, hookimpl
from ercframe_plugins.datasets.bayes_bound import bayes_facts
from ercframe_plugins.datasets.circle_emission import CircleEmission
from ercframe_plugins.datasets.hidden_markov import EmotionChain

# Shape letters: B dialogues, L longest dialogue, N utterances, D features.

EMOTIONS = (
    *("neutral", "happy", "sad", "angry", "excited", "frustrated", "surprised", "afraid"),
    *("disgusted", "calm", "bored", "proud", "ashamed", "hopeful", "jealous", "grateful"),
)
MOST_JOINT_STATES = 1024
OTHER_WIDTH = 24
OTHER_INFORMATIVENESS = 1.2

Name = Annotated[str, Field(min_length=1)]
Width = Annotated[int, Field(ge=1)]
Radius = Annotated[float, Field(ge=0, le=10)]


class SyntheticConversations(Dataset):
    """Conversations drawn from a hidden Markov model, with the accuracy of its exact posterior beside them.

    Every speaker's emotion is a chain that the others pull at. Whoever has the turn shows it in every modality as a
    point on a circle, blurred by Gaussian noise; each modality arranges the emotions in an order of its own, so that
    what one confuses another tells apart. Who speaks says nothing of what is felt.

    Features are ``(L, D)`` per modality with noise of variance 1; a row that is not available is zeros. Speaker ids
    mean the same persons in every dialogue. ``info.facts`` holds the Bayes-optimal accuracies on the scored utterances
    of the test split, for sets of modalities, with the whole dialogue, its past and no context. The defaults are tuned
    so that several modalities and the conversation are both worth having.

    Randomness has one source for each purpose: another set of modalities keeps the emotions, the speakers and the
    features of the modalities in both; another number of training dialogues keeps the test split.
    """

    name = "synthetic"
    example_configs = (
        {"train": 6, "dev": 2, "test": 3},
        {
            "train": 6,
            "dev": 0,
            "test": 3,
            "speakers": 3,
            "labels": 4,
            "widths": 5,
            "missing": 0.3,
            "unscored_share": 0.3,
        },
    )

    class Config(ComponentConfig):
        train: int = Field(800, ge=1, description="Dialogues to train on.")
        dev: int = Field(100, ge=0, description="Dialogues to choose an epoch on; 0 leaves the split out.")
        test: int = Field(200, ge=1, description="Dialogues to test on.")
        min_turns: int = Field(6, ge=1, description="Utterances of the shortest dialogue.")
        max_turns: int = Field(14, ge=1, description="Utterances of the longest; every length between is as likely.")
        labels: (
            Annotated[int, Field(ge=2, le=len(EMOTIONS))]
            | Annotated[tuple[Name, ...], Field(min_length=2, max_length=MOST_JOINT_STATES)]
        ) = Field(6, description="How many emotions, or their names.")
        speakers: int = Field(2, ge=1, le=9, description="Speakers of every dialogue.")
        turn_change: float = Field(0.75, ge=0, le=1, description="Probability that somebody else has the next turn.")
        persistence: float = Field(0.85, ge=0, le=1, description="Probability that a speaker's emotion stays.")
        pull: float = Field(0.1, ge=0, le=1, description="Probability that it becomes another speaker's.")
        widths: Width | dict[Name, Width] = Field(
            {"text": 32, "audio": 24, "visual": 16},
            description=f"Features of every modality, or of each by name; {OTHER_WIDTH} for one not named.",
        )
        informativeness: Radius | dict[Name, Radius] = Field(
            {"text": 1.4, "audio": 1.2, "visual": 1.0},
            description="Radius of the circle, in standard deviations of the noise, of every modality or of each by "
            f"name; {OTHER_INFORMATIVENESS} for one not named. 0 is noise.",
        )
        missing: float = Field(0.0, ge=0, le=1, description="Share of each modality's rows that are not available.")
        groups: int = Field(
            0,
            ge=0,
            description="Groups, as recording sessions, that the dialogues of each split are dealt to; 0: none.",
        )
        unscored_share: float = Field(0.0, ge=0, lt=1, description="Share of utterances that are context only.")
        seed: int = Field(0, ge=0, description="Seed of the corpus; seeds of training do not touch it.")

        @model_validator(mode="after")
        def _consistent(self) -> Self:
            names, problems = self.label_names, []
            if self.min_turns > self.max_turns:
                problems.append(f"min_turns must be at most max_turns (got {self.min_turns} and {self.max_turns})")
            if self.persistence + self.pull > 1:
                problems.append(f"persistence + pull must be at most 1 (got {self.persistence} + {self.pull})")
            if len(set(names)) < len(names):
                problems.append(f"labels must differ from each other (got {', '.join(names)})")
            if (states := len(names) ** self.speakers) > MOST_JOINT_STATES:
                problems.append(
                    f"labels to the power of speakers must be at most {MOST_JOINT_STATES}, to keep the posterior exact "
                    f"(got {len(names)} ** {self.speakers} = {states})"
                )
            if problems:
                raise ValueError("; ".join(problems))
            return self

        @property
        def label_names(self) -> tuple[str, ...]:
            """Names of the emotions."""
            return tuple(EMOTIONS[: self.labels]) if isinstance(self.labels, int) else self.labels

        def width(self, modality: str) -> int:
            """Features of one modality."""
            return self.widths.get(modality, OTHER_WIDTH) if isinstance(self.widths, dict) else self.widths

        def radius(self, modality: str) -> float:
            """Informativeness of one modality."""
            given = self.informativeness
            return given.get(modality, OTHER_INFORMATIVENESS) if isinstance(given, dict) else given

    def __init__(self, config: Config, modalities: Sequence[str]) -> None:
        self.config, names = config, config.label_names
        self.chain = EmotionChain(len(names), config.speakers, config.persistence, config.pull)
        self.emissions = {m: self._emission(m) for m in modalities}
        sizes = {"train": config.train, "dev": config.dev, "test": config.test}
        self._splits = {split: self._draw(split, size) for split, size in sizes.items() if size}
        self._info = DatasetInfo(
            name=self.name,
            labels=names,
            modalities={m: config.width(m) for m in modalities},
            speakers=config.speakers,
            splits={split: len(dialogues) for split, dialogues in self._splits.items()},
            generated=True,
            facts=bayes_facts(self.chain, self.emissions, collate(self._splits["test"])),
        )

    @property
    def info(self) -> DatasetInfo:
        """What the config says, and the Bayes-optimal accuracies."""
        return self._info

    def split(self, name: str) -> Sequence[Dialogue]:
        """The dialogues of a split, all in memory."""
        return self._splits.get(name, ())

    def _generator(self, *purpose: str) -> torch.Generator:
        digest = hashlib.sha256("/".join((str(self.config.seed), *purpose)).encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))

    def _emission(self, modality: str) -> CircleEmission:
        width, radius = self.config.width(modality), self.config.radius(modality)
        return CircleEmission.drawn(self.chain.labels, width, radius, self._generator("circle", modality))

    def _draw(self, split: str, size: int) -> tuple[Dialogue, ...]:
        config, generator = self.config, self._generator("conversation", split)
        lengths_B = torch.randint(config.min_turns, config.max_turns + 1, (size,), generator=generator)
        layout = Layout.from_lengths(lengths_B.tolist())
        speaker_BL = self._turns(size, layout.longest, generator)
        emotion_N = layout.from_padded(self.chain.draw(speaker_BL, generator))
        unscored_N = torch.rand(len(emotion_N), generator=generator) < config.unscored_share
        features, available = {}, {}
        for modality, emission in self.emissions.items():
            own = self._generator("features", split, modality)
            features[modality], available[modality] = emission.draw(emotion_N, config.missing, own)
        speaker_N, labels_N = layout.from_padded(speaker_BL), emotion_N.masked_fill(unscored_N, -1)
        return _divide(split, config.groups, layout, features, available, speaker_N, labels_N)

    def _turns(self, dialogues: int, turns: int, generator: torch.Generator) -> Tensor:
        """Who speaks, ``(B, L)``: the same speaker again, or another one, each as likely."""
        speakers = self.config.speakers
        first_B1 = torch.randint(speakers, (dialogues, 1), generator=generator)
        changes_BL = torch.rand(dialogues, turns, generator=generator) < self.config.turn_change
        ahead_BL = 1 + (torch.rand(dialogues, turns, generator=generator) * (speakers - 1)).long()
        return (first_B1 + (ahead_BL * changes_BL).cumsum(dim=1)) % speakers


def _divide(
    split: str,
    groups: int,
    layout: Layout,
    features: Mapping[str, Tensor],
    available: Mapping[str, Tensor],
    speaker_N: Tensor,
    labels_N: Tensor,
) -> tuple[Dialogue, ...]:
    """Cut packed rows into dialogues."""
    dialogues = []
    for i, (size, end) in enumerate(zip(layout.sizes, itertools.accumulate(layout.sizes), strict=True)):
        own, name = slice(end - size, end), f"{split}-{i:04d}"
        people = [chr(ord("A") + s) for s in speaker_N[own].tolist()]
        dialogues.append(
            Dialogue(
                id=name,
                features={m: x_ND[own] for m, x_ND in features.items()},
                available={m: available_N[own] for m, available_N in available.items()},
                speaker=speaker_N[own],
                labels=labels_N[own],
                utterances=tuple(Utterance(f"{name}-{turn:02d}", person) for turn, person in enumerate(people)),
                group=f"session-{i % groups + 1}" if groups else "",
            )
        )
    return tuple(dialogues)


@hookimpl
def ercframe_components() -> list[type[Dataset]]:
    return [SyntheticConversations]
