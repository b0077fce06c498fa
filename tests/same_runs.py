"""What a run came to, and whether two runs came to the same."""

import json
from pathlib import Path

from safetensors import safe_open


def contents(folder: Path) -> dict[str, object]:
    """Everything in a run folder but times, what it ran on, and the report that tells it; tensors as their bytes."""
    found: dict[str, object] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.name == "environment.json" or "report.html" in path.name:
            continue
        name = str(path.relative_to(folder))
        if path.suffix == ".safetensors":
            with safe_open(path, framework="np") as file:
                tensors = {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118 - no mapping
                found[name] = (file.metadata(), tensors)
        elif path.suffix in (".json", ".jsonl"):
            text = path.read_text()
            found[name] = [json.loads(part) for part in ([text] if path.suffix == ".json" else text.splitlines())]
        else:
            found[name] = path.read_text()
    for value in found.values():
        for part in value if isinstance(value, list) else []:
            for timed in [part, *part.get("seeds", [])]:
                timed.pop("seconds", None)
    return found


def require_same(one: Path, two: Path, about: str = "") -> None:
    """Two run folders must hold the same, bit for bit; told is in which files they differ, and where these begin to."""
    mine, theirs = contents(one), contents(two)
    differ = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    assert {name: _where(mine.get(name), theirs.get(name)) for name in differ} == {}, about


def _where(mine: object, theirs: object) -> str:
    """The first line that differs between two files, where both have lines."""
    if mine is None or theirs is None:
        return "there is none in the " + ("first" if mine is None else "second")
    if not (isinstance(mine, list) and isinstance(theirs, list)):
        return "differs"
    if len(mine) != len(theirs):
        return f"{len(mine)} and {len(theirs)} lines"
    return next(f"line {n}: {a} and {b}" for n, (a, b) in enumerate(zip(mine, theirs, strict=True), 1) if a != b)
