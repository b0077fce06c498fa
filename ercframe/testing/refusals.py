"""Telling a constructor that refuses in words from one that breaks."""

from __future__ import annotations

import dis

from ercframe.errors import InputError, SpecError

_RAISE = dis.opmap["RAISE_VARARGS"]


def is_refusal(error: Exception) -> bool:
    """Whether somebody wrote this error for the one who builds a model: SpecError, InputError, a ``raise ValueError``.

    A ValueError that Python raises by itself, as ``zip(strict=True)`` and ``int("x")`` do, is an accident.
    """
    if isinstance(error, SpecError | InputError):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not isinstance(error, ValueError) or not str(error).strip():
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == _RAISE
