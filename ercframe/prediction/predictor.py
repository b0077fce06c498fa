"""A trained run as something that names the emotions of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ercframe.calibration import calibrated
from ercframe.data.conversations import Conversation
from ercframe.data.dialogue import Dialogue, Utterance
from ercframe.data.intake import Intake
from ercframe.data.records import UNSCORED
from ercframe.data.turn import Turn
from ercframe.errors import InputError
from ercframe.evaluate import Record, record
from ercframe.loading import Trained
from ercframe.model import Learner
from ercframe.prediction.features import DROPPED, Source, views
from ercframe.prediction.results import Gathered, Prediction
from ercframe.seed_choice import ChosenSeed
from ercframe.specs import DatasetInfo
from ercframe.training.precision import Precision

# Shape letters: L utterances of one dialogue, C emotions, M modalities, D features.


@dataclass(frozen=True)
class Member:
    """The model of one seed.

    Attributes:
        seed: which seed, and why.
        epoch: the epoch whose weights it has.
        learner: the model.
    """

    seed: ChosenSeed
    epoch: int
    learner: Learner


@dataclass(frozen=True)
class Predictor:
    r"""A seed of a run, or all, ready to predict; :func:`~ercframe.prediction.opening.load_predictor` makes one.

    Several seeds are an ensemble: with the probabilities :math:`p_s` of seed :math:`s` of :math:`S`, those of the
    ensemble are

    .. math:: p = \operatorname{softmax}\left(\frac1T \log \frac1S \sum_s p_s\right)

    The temperature :math:`T` is fitted on what the mean says of dev (Rahaman and Thiery 2021, *Uncertainty
    Quantification and Deep Ensembles*: a mean of calibrated probabilities is not sure enough). Modality weights are
    means, too.

    Attributes:
        run: where it comes from.
        members: the seeds, at least one.
        info: what the model was told of its corpus.
        intake: from turns to features.
        sources: the extractors.
        device: where it computes.
        precision: in which arithmetic.
        temperature: fitted on dev; None where the run has no dev, and probabilities are what the model puts out.
    """

    run: Trained
    members: tuple[Member, ...]
    info: DatasetInfo
    intake: Intake
    sources: Mapping[str, Source]
    device: torch.device
    precision: Precision
    temperature: float | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions."""
        return self.info.labels

    def predict(
        self,
        turns: Conversation | Sequence[Turn],
        media: Path | None = None,
        features: Mapping[str, NDArray[Any]] | None = None,
    ) -> list[Prediction]:
        """Predict the emotion of every turn of one conversation.

        Args:
            turns: a conversation as :func:`~ercframe.data.conversations.read_conversations` gives it, or just its
                turns.
            media: folder to which the paths of recordings are relative.
            features: raw features, ``(L, D)``, NaN where unknown, of modalities that were declared as given.

        Raises:
            InputError: there is no turn, or ``features`` are not those that were declared, or of another shape.
            RunError: an extractor failed.
        """
        conversation = turns if isinstance(turns, Conversation) else as_conversation(turns)
        if not conversation.turns:
            raise InputError("a conversation must have at least one turn (got none)")
        return self.score(conversation, self.gather(conversation, media, features))

    def gather(
        self,
        conversation: Conversation,
        media: Path | None = None,
        features: Mapping[str, NDArray[Any]] | None = None,
        first: int = 0,
    ) -> Gathered:
        """Raw features of the turns from number ``first`` on; the other arguments are those of :meth:`predict`."""
        features = features or {}
        self._require_given(features, len(conversation.turns))
        seen = views(conversation, media)[first:]
        values, missing = dict[str, NDArray[np.float32]](), [dict[str, str]() for _ in seen]
        for name, source in self.sources.items():
            values[name], absent = source.raw(seen) if source.extractor else source.nothing(len(seen))
            if name in features:
                values[name], absent = np.asarray(features[name], np.float32)[first:], {}
            for i, why in absent.items():
                missing[i][name] = why
        return Gathered(values, missing)

    def _require_given(self, features: Mapping[str, NDArray[Any]], count: int) -> None:
        declared = {name for name, s in self.sources.items() if s.extractor is None and s.why_not != DROPPED}
        if set(features) != declared:
            wanted, got = (", ".join(sorted(names)) or "none" for names in (declared, set(features)))
            raise InputError(
                f"features must be given for exactly the modalities declared as given, {wanted} (got {got})"
            )
        for name, x_LD in features.items():
            shape = (count, self.sources[name].preparation.modality.width)
            if np.shape(x_LD) != shape:
                raise InputError(f"features of '{name}' must have shape {shape} (got {np.shape(x_LD)})")

    def score(self, conversation: Conversation, gathered: Gathered) -> list[Prediction]:
        """Run the models over a conversation whose features are known."""
        dialogue = self._dialogue(conversation, gathered)
        found = [self._answer(member, dialogue) for member in self.members]
        p_LC: NDArray[Any] = np.mean([one.probabilities.numpy() for one in found], axis=0)
        if self.temperature is not None:
            p_LC = calibrated(p_LC, self.temperature)
        weights = [one.weights["modality"].numpy() for one in found if "modality" in one.weights]
        w_LM = np.mean(weights, axis=0).tolist() if weights else [[]] * len(p_LC)
        return [
            Prediction(
                dialogue=conversation.id,
                utterance=turn.id or "",
                speaker=turn.speaker,
                text=turn.text,
                emotion=self.labels[int(p_C.argmax())],
                probabilities=dict(zip(self.labels, p_C.tolist(), strict=True)),
                calibrated=self.temperature is not None,
                seeds=tuple(member.seed.seed for member in self.members),
                modality_weights=dict(zip(self.info.modalities, w_M, strict=False)),
                missing=missing,
            )
            for turn, p_C, w_M, missing in zip(conversation.turns, p_LC, w_LM, gathered.missing, strict=True)
        ]

    def _answer(self, member: Member, dialogue: Dialogue) -> Record:
        with self.precision.matmuls(), self.precision.autocast():
            found = record(member.learner, [dialogue], 1, self.device)
        if found.probabilities.isnan().any():
            name = f"the model of seed {member.seed.seed}"
            raise InputError(f"{name} puts out NaN: its training went wrong; take another")
        return found

    def _dialogue(self, conversation: Conversation, gathered: Gathered) -> Dialogue:
        prepared = {name: source.preparation.apply(gathered.values[name]) for name, source in self.sources.items()}
        return Dialogue(
            id=conversation.id,
            features={name: torch.from_numpy(x_LD) for name, (x_LD, _) in prepared.items()},
            available={name: torch.from_numpy(there_L) for name, (_, there_L) in prepared.items()},
            speaker=torch.from_numpy(self.intake.speaker_ids([turn.speaker for turn in conversation.turns])),
            labels=torch.full((len(conversation.turns),), UNSCORED),
            utterances=[Utterance(turn.id or "", turn.speaker, turn.text) for turn in conversation.turns],
        )


def as_conversation(turns: Sequence[Turn], id: str = "conversation") -> Conversation:
    """Turns as a conversation, with ids for those that have none."""
    named = (turn.model_copy(update={"id": turn.id or f"{id}_{i}"}) for i, turn in enumerate(turns))
    return Conversation(id, tuple(named))
