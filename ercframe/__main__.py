"""``python -m ercframe`` is the ``ercframe`` command."""

from ercframe.cli import main

if __name__ == "__main__":
    main()
