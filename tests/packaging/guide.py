"""Code blocks of a Markdown page, so that tests can do what the page says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?:\{code-block\} )?(\w+)\n((?::[\w-]+:[^\n]*\n)*)(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its options such as ``caption``, and its text."""

    language: str
    options: dict[str, str]
    text: str

    @property
    def file(self) -> str | None:
        """The file that the reader is to write; None for what is only read."""
        return self.options.get("caption")

    @property
    def commands(self) -> list[str]:
        """What the reader is to type."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [" ".join(line[2:].split()) for line in lines if line.startswith("$ ")]


def blocks(page: Path) -> Iterator[Block]:
    """Every block of the page, in order."""
    for language, options, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        yield Block(language, dict(re.findall(r"^:([\w-]+): (.*)$", options, re.MULTILINE)), text)


def write_files(page: Path, folder: Path) -> None:
    """Write the files that the page shows."""
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
