"""The public names and signatures as text: ``python tests/packaging/public_api.py`` renews ``public_api.txt``."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any, get_origin

import typer.main

import ercframe
from ercframe.cli.app import app
from ercframe.plugins import Hooks

FILE = Path(__file__).with_name("public_api.txt")
MODULES = ("ercframe", "ercframe.nn", "ercframe.recipes", "ercframe.testing")
HEAD = """\
# What others may rely on: docs/stability.md says what may change when. A test compares this file with the code.
# To renew it: python tests/packaging/public_api.py
"""


def text() -> str:
    """The whole file."""
    parts = [HEAD]
    for module in MODULES:
        parts += [f"\n[{module}]\n", *(f"{line}\n" for line in _module(import_module(module)))]
    parts += ["\n[hooks]\n", *(f"{line}\n" for line in _members(Hooks, "Hooks"))]
    return "".join([*parts, "\n[commands]\n", *(f"{line}\n" for line in _commands(typer.main.get_command(app)))])


def _module(module: Any) -> Iterator[str]:
    for name in module.__all__:
        item = getattr(module, name)
        if inspect.isclass(item):
            bases = ", ".join(base.__name__ for base in item.__bases__ if base is not object)
            yield f"class {name}({bases})" if bases else f"class {name}"
            for owner in item.__mro__:
                if owner is item or (owner.__module__.startswith("ercframe") and not hasattr(ercframe, owner.__name__)):
                    yield from _members(owner, name)
        elif isinstance(item, FunctionType):
            yield f"{name}{_signature(item)}"
        elif name != "__version__":
            yield f"{name} = {item!r}" if isinstance(item, str | int | float) else f"{name}: {_type(item)}"


def _type(item: Any) -> str:
    """What a value is: a type as it stands in annotations, or an object of a class."""
    return "a type" if get_origin(item) is not None else type(item).__name__


def _members(owner: type, name: str) -> Iterator[str]:
    """The constructor, fields, properties and methods that a class adds, in order of their names."""
    if "__init__" in vars(owner):
        yield f"{name}{_signature(owner.__init__, skip=1)}"
    members = {key: item for key, item in vars(owner).items() if not key.startswith("_")}
    annotated = {key: kind for key, kind in inspect.get_annotations(owner).items() if not key.startswith("_")}
    for key in sorted(members.keys() | annotated.keys()):
        item = members.get(key)
        if isinstance(item, property | classmethod | staticmethod | FunctionType) or hasattr(item, "func"):
            yield f"{name}.{key}{_callable(item)}"
        elif key in annotated:
            yield f"{name}.{key}: {_plain(annotated[key])}"
        elif not inspect.isdatadescriptor(item) and not key.startswith("model_"):
            yield f"{name}.{key}"


def _callable(item: Any) -> str:
    if isinstance(item, property):
        return f" -> {_returns(item.fget)}"
    if hasattr(item, "func"):
        return f" -> {_returns(item.func)}"
    function = getattr(item, "__func__", item)
    return _signature(function, skip=0 if isinstance(item, staticmethod) else 1)


def _returns(function: Any) -> str:
    return _plain(inspect.signature(function).return_annotation)


def _signature(function: Any, skip: int = 0) -> str:
    """Parameters with their types; the value of a default, which is no part of the promise, is an ellipsis."""
    signature = inspect.signature(function)
    shown, star = [], False
    for parameter in list(signature.parameters.values())[skip:]:
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            shown.append("*")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            shown.append(f"{_parameter(parameter)}, /")
            continue
        star = star or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        shown.append(_parameter(parameter))
    returned = signature.return_annotation
    arrow = "" if returned in (inspect.Signature.empty, None, "None") else f" -> {_plain(returned)}"
    return f"({', '.join(shown)}){arrow}"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    kind = "" if parameter.annotation is parameter.empty else f": {_plain(parameter.annotation)}"
    default = "" if parameter.default is parameter.empty else " = …"
    return f"{stars}{parameter.name}{kind}{default}"


def _plain(annotation: Any) -> str:
    """An annotation without the modules of its names, the same whether it was written as text or not."""
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", words).replace("'", "").replace('"', "")


def _commands(command: Any, path: str = "ercframe") -> Iterator[str]:
    """Every command with its arguments and options."""
    if not getattr(command, "commands", {}):
        words = [
            max(p.opts, key=len) if p.param_type_name == "option" else (p.metavar or p.name).upper()
            for p in command.params
        ]
        yield " ".join([path, *words])
    for name, child in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(child, f"{path} {name}")


def _word(parameter: Any) -> str:
    """What is typed for a parameter: the long form of an option, what stands for an argument."""
    if parameter.param_type_name == "option":
        return max(parameter.opts, key=len)
    return (parameter.metavar or parameter.name).upper()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
