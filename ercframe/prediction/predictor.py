"""A trained run as something that names the emotions of a conversation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ercframe.build import assemble
from ercframe.calibration import calibrated, fit_temperature, recorded
from ercframe.data.conversations import Conversation
from ercframe.data.dialogue import Dialogue, Utterance
from ercframe.data.intake import Intake, read_inputs
from ercframe.data.records import UNSCORED
from ercframe.data.turn import Turn
from ercframe.errors import InputError
from ercframe.evaluate import record
from ercframe.loading import ChosenSeed, TrainedRun
from ercframe.model import Learner
from ercframe.prediction.features import DROPPED, Source, open_sources, views
from ercframe.specs import DatasetInfo
from ercframe.training.device import choose_device
from ercframe.training.precision import Precision

# Shape letters: L utterances of one dialogue, C emotions, M modalities, D features.


@dataclass(frozen=True)
class Prediction:
    """What a model says of one turn.

    Attributes:
        dialogue: id of the dialogue.
        utterance: id of the turn.
        speaker: who speaks.
        text: what is said.
        emotion: the most probable one.
        probabilities: of every emotion, calibrated where the predictor is.
        modality_weights: share of each modality, where the model says so; they add up to 1.
        missing: for each modality that the turn lacks, why.
    """

    dialogue: str
    utterance: str
    speaker: str
    text: str
    emotion: str
    probabilities: Mapping[str, float]
    modality_weights: Mapping[str, float]
    missing: Mapping[str, str]

    def row(self) -> dict[str, Any]:
        """As a line of JSON, with the keys of a run's ``predictions.jsonl`` where it has them, too."""
        optional = {
            "text": self.text,
            "modality_weights": {name: round(w, 6) for name, w in self.modality_weights.items()},
            "missing": dict(self.missing),
        }
        return {
            "dialogue": self.dialogue,
            "utterance": self.utterance,
            "speaker": self.speaker,
            "prediction": self.emotion,
            "probabilities": {name: round(p, 6) for name, p in self.probabilities.items()},
            **{key: value for key, value in optional.items() if value},
        }


@dataclass(frozen=True)
class Gathered:
    """Raw features of some turns of a conversation.

    Attributes:
        values: ``(L, D)`` for each modality; NaN where unknown.
        missing: for each turn and modality that it lacks, why.
    """

    values: Mapping[str, NDArray[np.float32]]
    missing: Sequence[Mapping[str, str]]

    def __add__(self, later: Gathered) -> Gathered:
        """These turns, then those."""
        values = {name: np.concatenate([x_LD, later.values[name]]) for name, x_LD in self.values.items()}
        return Gathered(values, [*self.missing, *later.missing])


@dataclass(frozen=True)
class Predictor:
    """One seed of a run, ready to predict; :func:`load_predictor` makes one.

    Attributes:
        run: where it comes from.
        seed: which seed, and why.
        epoch: the epoch whose weights it has.
        info: what the model was told of its corpus.
        intake: from turns to features.
        sources: the extractors.
        learner: the model.
        device: where it computes.
        precision: in which arithmetic.
        temperature: fitted on dev; None where the run has no dev, and probabilities are what the model puts out.
    """

    run: TrainedRun
    seed: ChosenSeed
    epoch: int
    info: DatasetInfo
    intake: Intake
    sources: Mapping[str, Source]
    learner: Learner
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
            turns: a conversation as :func:`ercframe.read_conversations` gives it, or just its turns.
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
        """Run the model over a conversation whose features are known."""
        with self.precision.matmuls(), self.precision.autocast():
            found = record(self.learner, [self._dialogue(conversation, gathered)], 1, self.device)
        p_LC: NDArray[Any] = found.probabilities.numpy()
        if np.isnan(p_LC).any():
            raise InputError(f"the model of seed {self.seed.seed} puts out NaN: its training went wrong; take another")
        if self.temperature is not None:
            p_LC = calibrated(p_LC, self.temperature)
        w_LM = found.weights["modality"].tolist() if "modality" in found.weights else [[]] * len(p_LC)
        return [
            Prediction(
                dialogue=conversation.id,
                utterance=turn.id or "",
                speaker=turn.speaker,
                text=turn.text,
                emotion=self.labels[int(p_C.argmax())],
                probabilities=dict(zip(self.labels, p_C.tolist(), strict=True)),
                modality_weights=dict(zip(self.info.modalities, w_M, strict=False)),
                missing=missing,
            )
            for turn, p_C, w_M, missing in zip(conversation.turns, p_LC, w_LM, gathered.missing, strict=True)
        ]

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


def load_predictor(
    run: str | Path,
    *,
    seed: int | None = None,
    drop: Sequence[str] = (),
    given: Sequence[str] = (),
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    plugins: Sequence[Path] = (),
    trust_plugins: bool = False,
    device: str = "auto",
) -> Predictor:
    """Open a run folder to predict with.

    Args:
        run: the folder.
        seed: which seed's weights; None takes the best on dev.
        drop: modalities to do without.
        given: modalities whose raw features are given with every conversation instead of being extracted.
        settings: for a modality settings of its extractor to use instead of the recorded ones, such as where its model
            is now. That the model is the same is checked; what else they change is not.
        plugins: plugin files that provide an extractor.
        trust_plugins: whether plugin files in the run folder may be imported, which runs their code.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises:
        InputError: the folder cannot be used, or features of new conversations cannot be computed; says what to do.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise InputError(f"device must be auto, cpu, cuda or cuda:1 (got '{device}')")
    where = choose_device(device, "device")
    opened = TrainedRun.open(Path(run), trust_plugins=trust_plugins, plugin_files=plugins)
    info, intake = _inputs(opened)
    if intake is None:
        raise InputError(
            f"the run in {run} cannot predict new conversations: its dataset, '{opened.loaded.recipe.dataset.name}', "
            "has no way to compute their features; train on a bundle whose features were extracted"
        )
    chosen = opened.choose_seed(seed)
    sources = open_sources(intake, opened.loaded.registry, drop, given, settings, str(where))
    learner, epoch = opened.learner(chosen.seed, info, where)
    return Predictor(
        run=opened,
        seed=chosen,
        epoch=epoch,
        info=info,
        intake=intake,
        sources=sources,
        learner=learner,
        device=where,
        precision=opened.precision(where),
        temperature=_temperature(opened, chosen.seed, info.labels),
    )


def _inputs(run: TrainedRun) -> tuple[DatasetInfo, Intake | None]:
    """What the run kept; of a run that an earlier version made, what its data says now."""
    try:
        return read_inputs(run.folder.path)
    except FileNotFoundError:
        pass
    try:
        experiment = assemble(run.loaded)
    except InputError as error:
        raise InputError(
            f"the run in {run.folder.path} was made by a version of ercframe that kept nothing for predicting, and its "
            f"data cannot be opened: {error.title}",
            error.problems,
        ) from None
    return experiment.info, experiment.dataset.intake()


def _temperature(run: TrainedRun, seed: int, labels: Sequence[str]) -> float | None:
    rows = run.folder.seed(seed).read_predictions("dev")
    return fit_temperature(*recorded(rows, labels)) if rows else None
