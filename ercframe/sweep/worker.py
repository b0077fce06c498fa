"""A trial: ``python -m ercframe.sweep.worker ARGUMENTS`` is ``ercframe ARGUMENTS``, but ends with its parent."""

from __future__ import annotations

import runpy
import sys

from ercframe.child import end_with_parent


def main() -> None:
    """Watch the parent, and do what the command line says."""
    end_with_parent()
    sys.argv[0] = "ercframe"
    runpy.run_module("ercframe", run_name="__main__")


if __name__ == "__main__":
    main()
