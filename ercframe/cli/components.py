"""Commands: components."""

import typer


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
