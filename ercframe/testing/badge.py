"""A small SVG for a README: how the contract was kept."""

from __future__ import annotations

from html import escape

LABEL = "ercframe contract"
GREEN, RED = "#2e7d32", "#b71c1c"  # white text on either has a contrast of at least 5 : 1
CHARACTER, PADDING, HEIGHT = 6.6, 6, 20  # of Verdana at 11 px, on average


def badge(passed: int, failed: int) -> str:
    """An image of ``ercframe contract: 38 passed``, or how many failed; reads the same to a screen reader."""
    text = f"{failed} failed" if failed else f"{passed} passed"
    left, right = (round(CHARACTER * len(part)) + 2 * PADDING for part in (LABEL, text))
    width, told = left + right, escape(f"{LABEL}: {text}")
    middle = HEIGHT - 6
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img" aria-label="{told}">
<title>{told}</title>
<rect width="{left}" height="{HEIGHT}" fill="#424242"/>
<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{RED if failed else GREEN}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle" aria-hidden="true">
<text x="{left / 2}" y="{middle}">{escape(LABEL)}</text>
<text x="{left + right / 2}" y="{middle}">{escape(text)}</text>
</g>
</svg>
"""
