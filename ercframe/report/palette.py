"""What lines of a figure look like, so that people who are colour-blind can tell them apart."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Of Okabe and Ito (2008)."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One for each colour: colours are never all that differs."""
