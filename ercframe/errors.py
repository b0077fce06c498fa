"""What ercframe says when something is wrong: errors that a person can act on."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ercframe.wording import counted

MOST_SHOWN = 20
"""Problems of one file that are shown; a file of another format has one in every line."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        where: position, such as ``"3:11"``, ``"command line"`` or ``"dialogue 7, utterance 3"``; may be empty.
        what: the offending key or item, such as ``"trainer.epochs"``; may be empty.
        message: what must hold, what was got and, where known, what to do.
    """

    where: str
    what: str
    message: str


class InputError(Exception):
    """Something the user gave cannot be used; shown without a traceback, exit code 2.

    Args:
        title: one sentence, such as ``"2 problems in recipes/mine.yaml"``.
        problems: every problem found, in reading order.
        help: what to do next, free text over several lines; may be empty.
    """

    def __init__(self, title: str, problems: Sequence[Problem] = (), help: str = "") -> None:
        self.title, self.problems, self.help = title, tuple(problems), help
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.title]
        where = max((len(p.where) for p in self.problems), default=0)
        what = max((len(p.what) for p in self.problems), default=0)
        for p in self.problems:
            columns = [c for c, width in ((p.where.ljust(where), where), (p.what.ljust(what), what)) if width]
            lines.append("  " + "  ".join([*columns, p.message]))
        if self.help:
            lines += ["", self.help.rstrip()]
        return "\n".join(lines)


def problems_in(source: object, problems: Sequence[Problem], help: str = "") -> InputError:
    """``"3 problems in talk.jsonl"``: the error for everything that is wrong with a file; of very many the first."""
    count, shown = len(problems), list(problems[:MOST_SHOWN])
    if count > MOST_SHOWN:
        shown.append(Problem("", "", f"and {count - MOST_SHOWN:,} more"))
    return InputError(f"{counted(count, 'problem')} in {source}", shown, help)


class SpecError(Exception):
    """A component needs something that the part before it does not provide.

    Raised inside a component's constructor by :class:`~ercframe.specs.StreamSpec` and
    :class:`~ercframe.specs.FusedSpec`; ``ercframe.build`` turns it into an :class:`InputError` that names both
    components and the alternatives.

    Args:
        provider: kind of the component that should have provided it, ``"encoder"`` or ``"fusion"``.
        needs: what is needed, to follow the word "needs".
        got: what there is, to follow the word "provides".
    """

    def __init__(self, provider: str, needs: str, got: str) -> None:
        self.provider, self.needs, self.got = provider, needs, got
        super().__init__(f"needs {needs}; the {provider} provides {got}")


class RunError(Exception):
    """A run that was asked for correctly could not be completed; exit code 1."""


class NotAvailableError(Exception):
    """An extractor has no features for a turn; raised by its ``read``; the turn is not available.

    Args:
        reason: a few words without the turn's name or path, such as ``"no face in any frame"``; turns with the same
            reason are listed together.
        broken: something that should be there cannot be used, such as a file that ends early. Otherwise there is
            nothing wrong, only nothing to extract.
    """

    def __init__(self, reason: str, broken: bool = False) -> None:
        self.reason, self.broken = reason, broken
        super().__init__(reason, broken)  # both, so that it can travel from another process


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
