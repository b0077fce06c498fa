"""The ``ercframe`` command."""

from ercframe.cli.app import main

__all__ = ["main"]
