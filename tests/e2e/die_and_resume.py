"""Run a recipe in processes that are killed, again and again, until it is finished.

    python die_and_resume.py RECIPE OUT KILLS SEED

The run in folder OUT is begun, killed and resumed: by SIGKILL after a random time, or by itself at a random step of
writing (half of a file written, between a file and its name, between two files, while removing). After KILLS deaths it
is left in peace. Prints how often it died. Processes are forked, which spares them importing PyTorch; OUT/log has what
they print, OUT/deaths where each died.
"""

import importlib
import os
import random
import shutil
import signal
import sys
import threading
import traceback
from pathlib import Path

from ercframe import plugins, tensor_files
from ercframe.cli.app import run_app

LAZY = ("torch._dynamo", "torchmetrics.functional.classification", "ercframe.execute", "ercframe.report")
"""What a run imports on the way, here imported once for all children."""


def die(where: str) -> None:
    """End as by a power cut, and leave word."""
    os.write(DEATHS, f"{where}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_writing(step: int) -> None:
    """From now on, count the steps of writing and die at one of them."""
    left = [step]

    def deadly(owner, name, half_done=None):
        call = getattr(owner, name)

        def wrapped(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                if half_done:
                    half_done(call, *arguments, **named)
                die(name)
            return call(*arguments, **named)

        setattr(owner, name, wrapped)

    def half_a_tensor_file(call, tensors, path, **named):
        call(tensors, path, **named)
        os.truncate(path, os.path.getsize(path) // 2)

    def half_a_text(call, path, text, **named):
        call(path, text[: len(text) // 2], **named)

    def half_a_tree(call, path, **named):
        for file in list(Path(path).rglob("*"))[::2]:
            if file.is_file():
                file.unlink()

    deadly(tensor_files, "save_file", half_a_tensor_file)
    deadly(Path, "write_text", half_a_text)
    deadly(shutil, "rmtree", half_a_tree)
    os.fsync = lambda handle: None  # the disk survives the process, and waiting for it takes most of the time
    for name in ("fsync", "replace", "rename", "mkdir", "unlink"):
        deadly(os, name)


def attempt(arguments: list[str], out: Path, step: int, delay: float) -> int:
    """One process; its wait status."""
    child = os.fork()
    if child == 0:
        log = os.open(out / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if step:
            die_while_writing(step)
        try:
            os._exit(run_app(arguments))
        except BaseException:
            traceback.print_exc()
            os._exit(99)
    timer = threading.Timer(delay, os.kill, (child, signal.SIGKILL)) if delay else None
    if timer:
        timer.start()
    status = os.waitpid(child, 0)[1]
    if timer:
        timer.cancel()
        timer.join()
    return status


def main() -> int:
    """Until it is finished."""
    recipe, out, kills, random_numbers = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), random.Random(sys.argv[4])
    deaths = 0
    for _ in range(10 * kills + 10):
        (found,) = [p.parent for p in (out / "runs").rglob("recipe.yaml")] or [None]
        arguments = ["run", str(found), "--resume"] if found else ["run", recipe, "--out", str(out / "runs")]
        step, delay = random_numbers.choice(
            [(random_numbers.randrange(1, 120), 0.0), (0, random_numbers.uniform(0, 1))]
        )
        status = attempt(arguments, out, *((step, delay) if deaths < kills else (0, 0.0)))
        if os.WIFSIGNALED(status):
            deaths += 1
            if delay:
                os.write(DEATHS, b"any time\n")
        elif os.waitstatus_to_exitcode(status) != 0:
            return 1
        else:
            break
    print(deaths)
    return 0


if __name__ == "__main__":
    plugins.load()
    for module in LAZY:
        importlib.import_module(module)
    DEATHS = os.open(Path(sys.argv[2]) / "deaths", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sys.exit(main())
