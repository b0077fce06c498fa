"""Draw the figures of sdt.md: ``python docs/figures/draw.py`` writes them beside this file.

They are put into the page as elements, not as images, so they take its colours, in light and in dark.
"""

from __future__ import annotations

from pathlib import Path

from ercframe.sphinxext.svg import Drawing

MODALITIES = ("text", "audio", "visual")


def pair() -> str:
    """One of the nine transformers."""
    d = Drawing(400)
    d.box(20, 4, 150, 40)
    d.text(95, 21, "target", size=11)
    d.text(95, 36, "H of text")
    d.box(230, 4, 150, 40)
    d.text(305, 21, "source", size=11)
    d.text(305, 36, "H of audio")
    d.text(200, 20, "+ positions", size=10)
    d.text(200, 34, "+ speaker", size=10)
    d.line([(135, 44), (135, 78)])
    d.text(129, 66, "query", size=11, anchor="end")
    d.line([(305, 44), (305, 62), (215, 62), (215, 78)])
    d.text(262, 57, "key, value", size=11)
    d.box(80, 78, 190, 34, strong=True)
    d.text(175, 100, "attention, 8 heads")
    d.line([(175, 112), (175, 136)])
    d.text(175, 152, "+", size=18)
    d.line([(60, 44), (60, 147), (164, 147)], head=False)
    d.text(54, 100, "as it is", size=10, anchor="end")
    d.line([(175, 158), (175, 182)])
    d.text(184, 174, "X", size=12, anchor="start")
    d.box(80, 182, 190, 48, strong=True)
    d.text(175, 202, "feed-forward")
    d.text(175, 219, "norm first, GELU, width kept", size=10.5)
    d.line([(175, 230), (175, 252)])
    d.text(175, 268, "+", size=18)
    d.line([(175, 164), (330, 164), (330, 263), (186, 263)], head=False)
    d.line([(175, 274), (175, 296)])
    d.box(80, 296, 190, 26)
    d.text(175, 314, "stream text←audio")
    return d.render(
        "One pair of SDT's encoder",
        "Target and source each get positions and speakers. The target is the query, the source key and value of an "
        "attention with eight heads; its result is added to the target as it is. A feed-forward network that "
        "normalises first is added in turn. The result is the stream from source to target.",
        "sdt-pair",
    )


def grid() -> str:
    """The nine streams."""
    d = Drawing(400)
    d.text(226, 14, "source: who is heard", size=11)
    d.text(4, 34, "target", size=11, anchor="start")
    for j, source in enumerate(MODALITIES):
        d.text(116 + j * 112, 34, source)
    for i, target in enumerate(MODALITIES):
        d.text(4, 64 + i * 44, target, anchor="start")
        for j, source in enumerate(MODALITIES):
            own = i == j
            d.box(64 + j * 112, 42 + i * 44, 104, 34, strong=own)
            d.text(116 + j * 112, 63 + i * 44, target if own else f"{target}←{source}", size=12)
    d.text(226, 190, "on the diagonal: own streams, which “streams: intra” keeps", size=11)
    return d.render(
        "The nine streams of three modalities",
        "A table with a row for each target and a column for each source. On the diagonal stands each modality's own "
        "stream, elsewhere what the target makes of another modality.",
        "sdt-grid",
    )


def gates() -> str:
    """The fusion, for text in full."""
    d = Drawing(420)
    for i, name in enumerate(("text", "text←audio", "text←visual")):
        x = 10 + i * 92
        d.box(x, 4, 86, 24)
        d.text(x + 43, 20, name, size=11)
        d.line([(x + 43, 28), (x + 43, 46)])
        d.box(x, 46, 86, 30, strong=True)
        d.text(x + 43, 65, "gate σ(Wx)⊙x", size=11)
        d.line([(x + 43, 76), (x + 43, 98)])
    for i, target in enumerate(("audio", "visual")):
        x = 296 + i * 62
        d.box(x, 4, 56, 24)
        d.text(x + 28, 20, f"3 × {target}", size=9.5)
        d.line([(x + 28, 28), (x + 28, 98)])
        d.box(x, 98, 56, 30, strong=True)
        d.text(x + 28, 117, "same", size=11)
        d.line([(x + 28, 128), (x + 28, 152)])
        d.box(x, 152, 56, 24)
        d.text(x + 28, 168, f"h {target}", size=11)
    d.box(10, 98, 270, 30, strong=True)
    d.text(145, 117, "side by side, then one linear map 3d → d", size=11.5)
    d.line([(145, 128), (145, 152)])
    d.box(102, 152, 86, 24)
    d.text(145, 168, "h text", size=11)
    for x in (145, 324, 386):
        d.line([(x, 176), (x, 200)])
    d.box(10, 200, 404, 46, strong=True)
    d.text(212, 219, "softmax over modalities of V h, for every feature")
    d.text(212, 236, "then their sum, weighted so", size=11)
    d.line([(212, 246), (212, 268)])
    d.box(150, 268, 124, 26)
    d.text(212, 285, "joint h")
    return d.render(
        "SDT's fusion",
        "The three streams into text pass a gate each, stand side by side and are mapped back to one width; audio and "
        "visual likewise. A softmax over the three results, computed for every feature with one matrix, weighs their "
        "sum.",
        "sdt-gates",
    )


def distillation() -> str:
    """The teacher, the students and their losses."""
    d = Drawing(420)
    for i, name in enumerate(("h text", "h audio", "h visual")):
        x = 10 + i * 94
        d.box(x, 4, 86, 24)
        d.text(x + 43, 20, name, size=11.5)
        d.line([(x + 43, 28), (x + 43, 48)])
        d.box(x, 48, 86, 42, strong=True)
        d.text(x + 43, 66, "student", size=12)
        d.text(x + 43, 82, "ReLU, linear", size=10)
        d.line([(x + 30, 90), (x + 30, 150)])
        d.line([(x + 58, 124), (x + 58, 150)])
    d.box(324, 4, 86, 24)
    d.text(367, 20, "joint h", size=11.5)
    d.line([(367, 28), (367, 48)])
    d.box(324, 48, 86, 42, strong=True)
    d.text(367, 66, "teacher", size=12)
    d.text(367, 82, "linear", size=10)
    d.line([(367, 90), (367, 150)])
    d.line([(367, 124), (68, 124)], dashed=True, head=False)
    d.text(345, 118, "softened at τ", size=10, anchor="end")
    d.box(10, 150, 274, 44)
    d.text(147, 168, "hard: cross-entropy with the label", size=11)
    d.text(147, 184, "soft: KL from student to teacher", size=11)
    d.box(310, 150, 100, 44)
    d.text(360, 168, "task:", size=11)
    d.text(360, 184, "cross-entropy", size=11)
    return d.render(
        "SDT's losses",
        "A student for each modality reads that modality's representation, the teacher the joint one. The teacher "
        "learns from the labels. Each student learns from the labels, the hard term, and from the teacher's decision "
        "softened at a temperature, the soft term.",
        "sdt-distillation",
    )


FIGURES = {"sdt_pair": pair, "sdt_grid": grid, "sdt_gates": gates, "sdt_distillation": distillation}

if __name__ == "__main__":
    for name, draw in FIGURES.items():
        (Path(__file__).parent / f"{name}.svg").write_text(draw() + "\n", encoding="utf-8")
