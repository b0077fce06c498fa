"""Gaussian features whose means lie on a circle, one point per emotion, in an order of the modality's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# Shape letters: N utterances, C emotions, D features.

PHASE = 0.25
"""Turn of the circle, in steps between emotions; it keeps the points apart where a single dimension shows them."""


@dataclass(frozen=True)
class CircleEmission:
    r"""One modality's features given the emotion.

    .. math:: x = r \, Q \begin{pmatrix} \cos \phi_c \\ \sin \phi_c \end{pmatrix} + \varepsilon, \qquad
        \phi_c = \frac{2 \pi}{C} \left(\pi(c) + \tfrac14\right), \qquad \varepsilon \sim \mathcal N(0, I_D)

    with a random order :math:`\pi` of the emotions and a random map :math:`Q` of orthonormal columns. Neighbours on the
    circle are easily confused; a second modality has other neighbours and tells them apart. The radius :math:`r` is
    the informativeness: 0 says nothing of the emotion. A width of 1 holds the first coordinate only.

    Attributes:
        mean: mean of each emotion's features, ``(C, D)`` float64.
    """

    mean: Tensor

    @classmethod
    def drawn(cls, labels: int, width: int, radius: float, generator: torch.Generator) -> CircleEmission:
        """Draw the order and the map of a modality."""
        place_C = torch.randperm(labels, generator=generator).double()
        angle_C = 2 * math.pi / labels * (place_C + PHASE)
        point_CK = torch.stack([angle_C.cos(), angle_C.sin()], dim=1)[:, : min(width, 2)]
        noise_DK = torch.randn(width, point_CK.shape[1], generator=generator, dtype=torch.float64)
        q_DK = torch.linalg.qr(noise_DK).Q
        return cls(radius * point_CK @ q_DK.T)

    def draw(self, emotion_N: Tensor, missing: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw features ``(N, D)`` float32, and which rows are available, ``(N,)``; the others are zeros."""
        available_N = torch.rand(len(emotion_N), generator=generator) >= missing
        noise_ND = torch.randn(len(emotion_N), self.mean.shape[1], generator=generator, dtype=torch.float64)
        return (self.mean[emotion_N] + noise_ND).float() * available_N[:, None], available_N

    def log_likelihood(self, x_ND: Tensor, available_N: Tensor) -> Tensor:
        """Log density under each emotion up to a constant per row, ``(N, C)`` float64; zeros where not available."""
        score_NC = x_ND.double() @ self.mean.T - self.mean.square().sum(dim=1) / 2
        return torch.where(available_N[:, None], score_NC, 0.0)
