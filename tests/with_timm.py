"""Run a script where timm can be imported: ``python with_timm.py FOLDER SCRIPT ARGUMENT…``.

FOLDER holds timm and torchvision. torchvision's wheel on PyPI is linked to CUDA, so beside a CPU build of PyTorch its
compiled operators are missing, and importing it fails as soon as it describes the first of them. Here they are declared
before, without code. timm needs none of them: it uses torchvision for other things.
"""

import re
import runpy
import sys
from pathlib import Path

import torch

folder, script, *arguments = sys.argv[1:]
described = (Path(folder) / "torchvision" / "_meta_registrations.py").read_text(encoding="utf-8")
if torch.version.cuda is None:
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(set(re.findall(r'register_(?:fake|meta)\("(?:torchvision::)?(\w+)"', described))):
        library.define(f"{name}(Tensor x) -> Tensor")
sys.path[:0] = [str(Path(script).parent), folder]
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
