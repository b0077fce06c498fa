"""What importers noticed, so that tests can name it."""

from ercframe import Corpus


def findings_of(corpus: Corpus) -> dict[str, tuple[str, str, list[str]]]:
    """Level, message and places of each finding, by its topic."""
    return {f.topic: (f.level, f.message, [str(place) for place in f.places]) for f in corpus.findings}
