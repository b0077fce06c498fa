"""What is installed, what works, and what to do about the rest. Works where PyTorch or a plugin does not."""

from ercframe.doctor.diagnosis import Diagnosis, examine
from ercframe.doctor.problems import Ailment
from ercframe.doctor.report import markdown
from ercframe.doctor.text import lines

__all__ = ["Ailment", "Diagnosis", "examine", "lines", "markdown"]
