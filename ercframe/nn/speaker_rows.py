"""A learned vector for each speaker."""

from torch import nn

# Shape letters: D features.


def speaker_rows(speakers: int, width: int) -> nn.Embedding:
    """A learned row for each speaker id and, last, one for "unknown", ``(speakers + 1, D)``.

    The last one starts at zero, and stays there unless the data has such speakers.

    Args:
        speakers: number of ids in use, :attr:`ercframe.DatasetInfo.speakers`.
        width: D.
    """
    rows = nn.Embedding(speakers + 1, width)
    nn.init.zeros_(rows.weight[-1])
    return rows
