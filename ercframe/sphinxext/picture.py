"""A recipe's data flow as a drawing that fits a phone: from the data at the top to the losses at the bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ercframe.sphinxext.flow import Flow, LossPart, Part
from ercframe.sphinxext.svg import Drawing

WIDTH, EDGE = 440.0, 4.0
PART, CHIP, GAP, ARROW = 46.0, 22.0, 6.0, 26.0
LABELS = 16.0
"""Room on the right for the line by which labels reach the losses, and them alone."""

INNER = WIDTH - 2 * EDGE - LABELS


def picture(flow: Flow, identifier: str) -> str:
    """The drawing; links in it are ``erc:KIND/NAME``, to be replaced where the page is written."""
    drawing = Drawing(WIDTH)
    y = _part(drawing, flow.dataset, EDGE, 2.0)
    labels_from = y - PART / 2
    y = _chips(drawing, [[(m, width)] for m, width in flow.features.items()], y)
    for transform in flow.transforms:
        y = _part(
            drawing, Part(transform.kind, transform.name, "in training"), EDGE, _arrows(drawing, len(flow.features), y)
        )
        y = _chips(drawing, [[(m, "")] for m in flow.features], y)
    y = _part(drawing, flow.encoder, EDGE, _arrows(drawing, len(flow.features), y))
    streams = [[(s if s == t else f"{t}←{s}", w) for s, w in into.items()] for t, into in flow.streams.items()]
    y = _chips(drawing, streams, y)
    y = _part(drawing, flow.fusion, EDGE, _arrows(drawing, len(streams), y))
    _decide(drawing, flow, y, labels_from)
    return drawing.render(f"Data flow of {flow.name}", " ".join(flow.sentences()), identifier)


def _part(drawing: Drawing, part: Part, x: float, y: float, width: float = INNER) -> float:
    """A component with its kind above its name; where it ends."""
    middle = x + width / 2
    drawing.box(x, y, width, PART, strong=True)
    note = f" · {part.note}" if part.note else ""
    drawing.text(middle, y + 17, f"{part.kind}{note}", size=11)
    size = 14.0 if len(part.name) * 8.6 < width else 12.0 if len(part.name) * 7.4 < width else 10.5
    drawing.text(middle, y + 35, part.name, size=size, link=f"erc:{part.kind}/{part.name}")
    return y + PART


def _columns(count: int) -> list[tuple[float, float]]:
    """Left edge and width of as many columns."""
    width = (INNER - (count - 1) * GAP * 2) / count
    return [(EDGE + i * (width + GAP * 2), width) for i in range(count)]


def _chips(drawing: Drawing, columns: Sequence[Sequence[tuple[str, str]]], y: float) -> float:
    """Below a part, a column for each modality with what the part gives; where the longest column ends."""
    lowest = y
    for (x, width), chips in zip(_columns(len(columns)), columns, strict=True):
        drawing.line([(x + width / 2, y), (x + width / 2, y + ARROW - 4)])
        below = y + ARROW - 4
        for name, size in chips:
            _chip(drawing, x, below, width, name, size)
            below += CHIP + GAP / 2
        lowest = max(lowest, below - GAP / 2)
    return lowest


def _chip(drawing: Drawing, x: float, y: float, width: float, name: str, size: str) -> None:
    """A tensor: its name on the left, its width on the right."""
    drawing.box(x, y, width, CHIP)
    long = len(name) + len(size) > width / 7.2
    letters = 10.0 if long else 12.0
    if not size:
        drawing.text(x + width / 2, y + 15, name, size=letters)
        return
    drawing.text(x + 8, y + 15, name, size=letters, anchor="start")
    drawing.text(x + width - 8, y + 15, size, size=letters, anchor="end")


def _arrows(drawing: Drawing, count: int, y: float) -> float:
    """Arrows from columns to the part below; where it begins."""
    for x, width in _columns(count):
        drawing.line([(x + width / 2, y), (x + width / 2, y + ARROW - 8)])
    return y + ARROW - 8


def _decide(drawing: Drawing, flow: Flow, y: float, labels_from: float) -> None:
    """What the fusion gives, the classifier, and the losses with lines from all that they read."""
    half = (INNER - 2 * GAP) / 2
    left, right = (EDGE, EDGE + half + 2 * GAP) if flow.by_modality else (EDGE + INNER / 4, 0.0)
    top = y + ARROW - 4
    drawing.line([(left + half / 2, y), (left + half / 2, top)])
    _chip(drawing, left, top, half, "joint", flow.joint)
    sources = {"joint": left + 14}
    bottom = top + CHIP
    if flow.by_modality:
        drawing.line([(right + half / 2, y), (right + half / 2, top)])
        for i, (name, width) in enumerate(flow.by_modality.items()):
            _chip(drawing, right, top + i * (CHIP + GAP / 2), half, name, width)
        bottom = top + len(flow.by_modality) * (CHIP + GAP / 2) - GAP / 2
        sources["modalities"] = right + half / 2
    below = top + CHIP + ARROW - 8
    drawing.line([(left + half / 2, top + CHIP), (left + half / 2, below)])
    below = _part(drawing, flow.classifier, left, below, half)
    drawing.line([(left + half / 2, below), (left + half / 2, below + ARROW - 8)])
    _chip(drawing, left, below + ARROW - 8, half, "logits", "one per emotion")
    sources["logits"] = left + half / 2
    ends = {"joint": top + CHIP, "modalities": bottom, "logits": below + ARROW - 8 + CHIP}
    _losses(drawing, flow.losses, sources, ends, labels_from)


def _losses(
    drawing: Drawing,
    losses: Sequence[LossPart],
    sources: Mapping[str, float],
    ends: Mapping[str, float],
    labels_from: float,
) -> None:
    """Boxes side by side; each kind of thing that they read has a height of its own for its lines."""
    start = max(ends.values()) + 12
    read = [item for item in ends if any(item in loss.reads for loss in losses)]
    heights = {item: start + 12 * i for i, item in enumerate(reversed(read))}
    top = start + 12 * len(read) + 10
    places = _columns(len(losses))
    for (x, width), loss in zip(places, losses, strict=True):
        for i, item in enumerate(item for item in read if item in loss.reads):
            into = x + width * (i + 1) / (sum(other in loss.reads for other in read) + 1)
            drawing.line(
                [(sources[item], ends[item]), (sources[item], heights[item]), (into, heights[item]), (into, top)]
            )
    for (x, width), loss in zip(places, losses, strict=True):
        _part(drawing, LossPart("loss", loss.name, loss.note), x, top, width)
    edge = EDGE + INNER + LABELS - 4
    foot = top + PART + 14
    drawing.line([(EDGE + INNER, labels_from), (edge, labels_from), (edge, foot)], dashed=True, head=False)
    last = places[0][0] + places[0][1] / 2
    drawing.line([(edge, foot), (last, foot)], dashed=True, head=False)
    for x, width in places:
        drawing.line([(x + width / 2, foot), (x + width / 2, top + PART)], dashed=True)
    drawing.text(EDGE + INNER / 2, foot + 15, "labels: for the losses alone", size=11)
