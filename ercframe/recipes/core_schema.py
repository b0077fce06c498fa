"""YAML 1.2's core schema: what a plain scalar means.

PyYAML follows YAML 1.1, where ``1e-4`` is text, ``no`` is false and ``1:30`` is ninety.
"""

from __future__ import annotations

import re

Scalar = str | int | float | bool | None

NULL = re.compile(r"null|Null|NULL|~|")
BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+")
OCTAL = re.compile(r"0o[0-7]+")
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
NAN = re.compile(r"\.(nan|NaN|NAN)")

_LONGEST_NUMBER = 400  # longer digits are no setting, and Python refuses to read some thousands


def resolve(text: str) -> Scalar:
    """The value of a plain scalar."""
    if NULL.fullmatch(text):
        return None
    if BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    return text if len(text) > _LONGEST_NUMBER else _number(text)


def _number(text: str) -> int | float | str:
    if INTEGER.fullmatch(text):
        return int(text)
    if OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if FLOAT.fullmatch(text) or INFINITY.fullmatch(text) or NAN.fullmatch(text):
        return float(text.replace(".", "") if text[-1] in "fFnN" else text)
    return text
