"""Packages that only some components and commands need, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from ercframe.errors import InputError


class MissingExtraError(InputError):
    """A package of an extra is not installed; nothing is wrong with the component that needs it."""


def require(package: str, extra: str, purpose: str) -> ModuleType:
    """Import a package of an extra.

    Args:
        package: what is imported, such as ``"transformers"``; may be a submodule.
        extra: the extra of ercframe that installs it.
        purpose: who needs it, such as ``"extractor 'text_transformers'"``.

    Raises:
        MissingExtraError: it is not installed; says how to install it. An error inside an installed package is not
            hidden.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or package.split(".")[0] != error.name.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{purpose} needs the package '{package}', which is not installed: "
            f"pip install -c constraints.txt 'ercframe[{extra}]'"
        ) from None
