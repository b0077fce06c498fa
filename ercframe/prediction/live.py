"""Answering turns one by one, as they are spoken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ercframe.components import Part
from ercframe.data.conversations import Conversation
from ercframe.data.turn import Turn
from ercframe.errors import InputError, Problem
from ercframe.prediction.features import views
from ercframe.prediction.predictor import Predictor
from ercframe.prediction.results import Gathered, Prediction


@dataclass(frozen=True)
class _Heard:
    """A dialogue so far, at least a turn of it."""

    conversation: Conversation
    gathered: Gathered


class LivePredictor:
    """Predicts every turn from it and those before, with the result that the whole conversation at once would give.

    Features are computed for each turn once. The model then runs over the dialogue so far again, so that a turn costs
    the more the later it comes.

    Args:
        predictor: of a model that sees no future.
        media: folder to which the paths of recordings are relative.
        dialogue: what turns belong to that name no dialogue.

    Raises:
        InputError: a part of the model waits for later turns; says which, and which setting would change that.
    """

    def __init__(self, predictor: Predictor, media: Path | None = None, dialogue: str = "live") -> None:
        _require_causal(predictor)
        self.predictor, self.media, self.dialogue = predictor, media, dialogue
        self._heard: dict[str, _Heard] = {}

    def answer(self, turn: Turn) -> Prediction:
        """Predict the emotion of the next turn.

        Raises:
            InputError: its recording is one that an earlier turn named: that it would be shared was not known then.
            RunError: an extractor failed.
        """
        name = turn.dialogue or self.dialogue
        before = self._heard.get(name)
        turns = before.conversation.turns if before else ()
        named = turn.model_copy(update={"id": turn.id or f"{name}_{len(turns)}"})
        conversation = Conversation(name, (*turns, named))
        self._require_own_recording(conversation)
        gathered = self.predictor.gather(conversation, self.media, first=len(turns))
        heard = _Heard(conversation, before.gathered + gathered if before else gathered)
        answer = self.predictor.score(heard.conversation, heard.gathered)[-1]
        self._heard[name] = heard
        return answer

    def _require_own_recording(self, conversation: Conversation) -> None:
        last = views(conversation, self.media)[-1]
        if last.shared:
            shared = ", ".join(sorted(str(path) for path in last.shared))
            raise InputError(
                f"turn {last.id}: media must be a recording of this turn alone when turns come one by one "
                f"(got {shared}, which an earlier turn names)"
            )


def _require_causal(predictor: Predictor) -> None:
    """Refuse a model of which a part waits for later turns."""
    model, recipe = predictor.members[0].learner.model, predictor.run.loaded.recipe
    parts = {"encoder": model.encoder, "fusion": model.fusion, "classifier": model.classifier}
    waiting = {slot: part for slot, part in parts.items() if part.sees_future}
    if not waiting:
        return
    problems = [_why_it_waits(slot, getattr(recipe, slot).name, part) for slot, part in waiting.items()]
    changes = [change for part in waiting.values() for change in part.causal_help]
    command = " ".join(["ercframe run", str(predictor.run.path), *(f"'{change}'" for change in changes)])
    raise InputError(
        "turns cannot be answered one by one: the model was trained to look at later ones",
        problems,
        f"Train one that does not: {command}" if all(part.causal_help for part in waiting.values()) else "",
    )


def _why_it_waits(slot: str, name: str, part: Part) -> Problem:
    way = " ".join(part.causal_help)
    message = (
        f"'{name}' must see no future; {way} does that" if way else f"'{name}' always sees the future; take another"
    )
    return Problem("", slot, message)
