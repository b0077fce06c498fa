"""The parts of a dialogue with which utterances are scored, to see what the rest of it does."""

from __future__ import annotations

from ercframe.excerpts import Visible

PAST = (0, 1, 3, 5, None)
"""How many turns before the utterance are shown; None for all."""
WITHOUT_FUTURE = tuple(Visible(past, future=False) for past in PAST)
WITH_FUTURE = tuple(Visible(past) for past in PAST)
"""The last of these is the whole dialogue."""
CHANGED = (Visible(speakers="own"), Visible(order="shuffled"))
"""The whole dialogue without the other speakers' turns, and with the turns around the utterance in random order."""
VIEWS = (*WITHOUT_FUTURE, *WITH_FUTURE, *CHANGED)
