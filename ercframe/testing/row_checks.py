"""Checks that an utterance's result depends on its own dialogue, and on nothing that is only there by chance."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ercframe.data.dialogue import collate
from ercframe.tensors import Batch
from ercframe.testing.conversations import altered
from ercframe.testing.repetition_checks import comparing
from ercframe.testing.trial import Trial
from ercframe.testing.verdicts import NotApplicableError, require_close, require_same

GAP_VALUES = (-3.0, 5.0)


@comparing
def gaps_are_not_read(trial: Trial) -> None:
    """Outputs and gradients must not depend on what the gaps of a padded view hold.

    They are no utterances. Attention, pooling or recurrence over them makes a result depend on the longest dialogue
    that happens to be in the batch.
    """
    part, batch = trial.build(), trial.batch()
    outputs, gradients = trial.with_gradients(part, batch)
    for value in GAP_VALUES:
        filled = _with_layout_fill(batch, value)
        got, slopes = trial.with_gradients(part, filled)
        require_same(f"outputs must stay when gaps hold {value} instead of 0", got, outputs)
        require_same(f"gradients must stay when gaps hold {value} instead of 0", slopes, gradients)


@comparing
def dialogues_are_independent(trial: Trial) -> None:
    """Changing one dialogue of a batch must leave the results of the others alone.

    Otherwise predictions depend on which dialogues are evaluated together.
    """
    part, batch = trial.build(), trial.batch()
    before = trial.run(part, batch)
    for changed in range(batch.context.layout.dialogues):
        rows = batch.context.layout.dialogue == changed
        after = trial.run(part, _altered(trial, batch, rows))
        for name, x in before.items():
            require_close("other dialogues must stay when one changes", name, after[name][~rows], x[~rows])


@comparing
def order_of_dialogues_is_free(trial: Trial) -> None:
    """Dialogues in another order must give the same results, in that order.

    The sampler shuffles them; their order means nothing.
    """
    part = trial.build()
    dialogues = trial.dialogues()
    before = trial.run(part, collate(dialogues))
    after = trial.run(part, collate(dialogues[::-1]))
    if trial.rowwise:
        sizes = [len(d) for d in dialogues]
        before = {name: torch.cat(torch.split(x, sizes)[::-1]) for name, x in before.items()}
    require_same("results must follow their dialogues when the order changes", after, before)


@comparing
def dialogue_alone_gives_the_same(trial: Trial) -> None:
    """A dialogue must get the same results alone, as a batch of one, as among others.

    Live prediction has one dialogue at a time, and one of the dialogues tried has a single utterance.
    """
    part = trial.build()
    dialogues = trial.dialogues()
    together = trial.run(part, collate(dialogues))
    alone = [trial.run(part, collate([dialogue])) for dialogue in dialogues]
    joined = {name: torch.cat([outputs[name] for outputs in alone]) for name in together}
    require_same("a dialogue alone must get the same as among others", joined, together)


@comparing
def future_is_as_declared(trial: Trial) -> None:
    """Where ``sees_future`` is False, later utterances must not change the results of earlier ones.

    Live prediction trusts it: the later utterances have not been spoken.
    """
    part, batch = trial.build(), trial.batch()
    if part.sees_future:
        raise NotApplicableError("sees_future is True")
    layout = batch.context.layout
    last = layout.position == layout.lengths[layout.dialogue] - 1
    before, after = trial.run(part, batch), trial.run(part, _altered(trial, batch, last))
    for name, x in before.items():
        require_close(
            "sees_future must be True where a last utterance changes others", name, after[name][~last], x[~last]
        )


def _with_layout_fill(batch: Batch, value: float) -> Batch:
    return replace(batch, context=replace(batch.context, layout=replace(batch.context.layout, fill=value)))


def _altered(trial: Trial, batch: Batch, rows: Tensor) -> Batch:
    """The batch with other features, speakers and availability in some rows."""
    context = batch.context
    speakers = trial.scene.dataset.speakers + 1
    speaker = torch.where(rows, (context.speaker + 1) % speakers, context.speaker)
    available = {m: has | rows for m, has in context.available.items()}
    return replace(
        batch,
        features={m: altered(x, rows) for m, x in batch.features.items()},
        context=replace(context, speaker=speaker, available=available),
    )
