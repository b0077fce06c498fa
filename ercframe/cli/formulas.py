r"""TeX formulae as people read them in a terminal: ``\sum_m \alpha_m x_m`` is ``Σ_m α_m x_m``.

Only what docstrings use is known. Another command keeps its name without the backslash, which for ``\log`` and its
like is what is meant.
"""

from __future__ import annotations

import re

_SIGNS_NAMED = """
    alpha α beta β gamma γ delta δ epsilon ε varepsilon ε eta η theta θ lambda λ mu μ nu ν pi π rho ρ sigma σ tau τ
    phi φ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Pi Π Sigma Σ Phi Φ Omega Ω sum Σ prod Π ell ℓ nabla ∇ infty ∞
    odot ⊙ otimes ⊗ bigotimes ⊗ times × cdot · top ⊤ leftarrow ← to → sim ∼ propto ∝ in ∈ le ≤ leq ≤ ge ≥ geq ≥ ne ≠
    neq ≠ mid | dots … ldots …
"""
_SIGNS: dict[str, str] = dict(re.findall(r"(\w+) (\S)", _SIGNS_NAMED))
_SIGNS |= dict.fromkeys(["mathbb", "mathcal", "operatorname", "texttt", "left", "right", "big", "Big"], "")
_BRACES = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
"""What stands in braces, which may hold braces two deep."""
_FRACTION = re.compile(rf"\\t?frac\s*(?:{_BRACES}\s*{_BRACES}|(\w)\s*(\w))")


def readable(formula: str) -> str:
    """A formula in a line, or in several where TeX breaks it or leaves much room."""
    text = re.sub(r"\\begin\{bmatrix\}(.*?)\\end\{bmatrix\}", _column, formula, flags=re.DOTALL)
    text = re.sub(r"\\(?:begin|end)\{\w+\}", "", text)
    lines = (_line(" ".join(line.split())) for line in re.split(r",?\s*\\qquad|\\\\", text))
    return "\n".join(line for line in lines if line)


def _line(text: str) -> str:
    while found := _FRACTION.search(text):
        text = f"{text[: found.start()]}{_fraction(found)}{text[found.end() :]}"
    text = re.sub(rf"\\(?:text|mathrm)\s*{_BRACES}", r"\1", text.replace(r"\quad", " ").replace("&", ""))
    text = re.sub(rf"\\sqrt\s*{_BRACES}", r"√(\1)", text)
    text = re.sub(r"\\([A-Za-z]+)", lambda found: _SIGNS.get(found[1], found[1]), text)
    text = text.replace(r"\|", "‖").replace(r"\,", " ").replace(r"\;", " ").replace(r"\{", "⦃").replace(r"\}", "⦄")
    text = re.sub(r"([_^])\{\(?([^{}\s])\)?\}", r"\1\2", text)
    text = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", text)
    text = text.replace("{", "").replace("}", "").replace("⦃", "{").replace("⦄", "}").replace("\\", "")
    return re.sub(r"(?<=[(\[]) | (?=[)\]])", "", " ".join(text.split()))


def _fraction(found: re.Match[str]) -> str:
    """``above / below``, in brackets unless it is all that follows an equals sign."""
    quotient = f"{_grouped(found[1] or found[3])} / {_grouped(found[2] or found[4])}"
    alone = re.search(r"=\s*-?\s*$", found.string[: found.start()]) and not found.string[found.end() :].strip()
    return quotient if alone else f"({quotient})"


def _grouped(part: str) -> str:
    """In brackets, where otherwise it would not be clear what is divided by what."""
    return part if re.fullmatch(r"-?\w+|\|[^|]*\|", part.strip()) else f"({part})"


def _column(found: re.Match[str]) -> str:
    return f"[{'; '.join(entry.strip() for entry in found[1].split(chr(92) * 2))}]"
