"""``ercframe doctor`` where things are broken: PyTorch, plugins that end the process, copies, places, versions."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributions import FUSION, doctor, ercframe, install

from ercframe.cli.app import run_app
from ercframe.doctor import Ailment, Diagnosis, lines, markdown, versions
from ercframe.doctor import distributions as distributions_of
from ercframe.doctor.probe import _devices
from ercframe.doctor.probing import Found
from ercframe.doctor.report import anonymous
from ercframe.doctor.surroundings import ailments as around
from ercframe.doctor.versions import Package, extras, requirements

ROOT = Path(__file__).parents[2]
GOOD = FUSION.format(name="good")


def messages(diagnosis, level="error"):
    return [problem["message"] for problem in diagnosis["problems"] if problem["level"] == level]


class TestProcesses:
    def test_pytorch_that_cannot_be_imported_is_the_one_problem(self, tmp_path):
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").write_text("raise OSError('libtorch_cpu.so: cannot open shared object')")
        found = doctor(tmp_path)
        assert messages(found) == ["PyTorch cannot be imported: OSError: libtorch_cpu.so: cannot open shared object"]
        assert found["healthy"] is False
        assert found["packages"][0]["name"] == "torch"
        assert found["plugins"] == []

    def test_pytorch_that_dies_is_told_by_its_signal(self, tmp_path):
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
        assert messages(doctor(tmp_path)) == ["PyTorch cannot be imported: ended the process (SIGILL)"]

    def test_files_of_the_current_folder_are_not_taken_for_packages(self, tmp_path):
        (tmp_path / "torch.py").write_text("raise RuntimeError('not me')")
        command = [sys.executable, "-P", "-m", "ercframe", "doctor", "--json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert json.loads(done.stdout)["torch"]["version"]
        assert done.returncode == 0

    def test_plugins_that_end_the_process_are_found_one_by_one(self, tmp_path):
        install(tmp_path, "works", GOOD)
        install(tmp_path, "exits", "import os\nprint('bye', flush=True)\nos._exit(7)")
        install(tmp_path, "interrupts", "raise KeyboardInterrupt")
        found = doctor(tmp_path)
        assert messages(found) == [
            "plugin interrupts 1.0 (interrupts) cannot be used: KeyboardInterrupt:",
            "plugin exits 1.0 (exits) cannot be used: ended the process (exit code 7)",
        ]
        assert "fusion/good" in [name for plugin in found["plugins"] for name in plugin["components"]]

    @pytest.mark.slow
    def test_plugins_that_never_end_or_crash_are_found(self, tmp_path):
        install(tmp_path, "endless", "while True: print('x' * 10_000)")
        install(tmp_path, "crashes", "import os\nos.abort()")
        install(tmp_path, "works", GOOD)
        found = doctor(tmp_path, "--timeout", "60")  # others are imported in it, however busy the machine is
        assert sorted(messages(found)) == [
            "plugin crashes 1.0 (crashes) cannot be used: ended the process (SIGABRT)",
            "plugin endless 1.0 (endless) cannot be used: did not finish within 60 s",
        ]
        assert "fusion/good" in [name for plugin in found["plugins"] for name in plugin["components"]]

    def test_what_works_is_healthy_and_a_talkative_plugin_is_a_warning(self, tmp_path):
        install(tmp_path, "talks", "print('Hello from talks')\n" + GOOD)
        found = doctor(tmp_path, expect=0)
        assert found["healthy"] is True
        (message,) = [m for m in messages(found, "warning") if "talks" in m]
        assert message == "plugin talks 1.0 (talks) prints while it is imported: 'Hello from talks'"
        assert found["torch"]["threads"] == 1
        assert found["settings"]["OMP_NUM_THREADS"] == "1"
        own = [plugin for plugin in found["plugins"] if plugin["package"].startswith("ercframe ")]
        assert len(own) > 20
        assert found["program"]["python"]
        assert found["extras"].keys() >= {"text", "audio", "ray", "export"}

    def test_two_copies_are_told_apart(self, tmp_path):
        for version in ("1.0", "2.0"):
            install(tmp_path, "doubled", GOOD, version=version)
        found = messages(doctor(tmp_path, expect=0), "warning")
        (message,) = [m for m in found if "doubled" in m]
        assert message.startswith("distribution doubled is there 2 times: ")
        assert "doubled-1.0.dist-info" in message
        assert "doubled-2.0.dist-info" in message

    def test_entry_points_that_cannot_be_read_are_named_before_pytorch_stumbles_over_them(self, tmp_path):
        install(tmp_path, "garbled", GOOD)
        (tmp_path / "garbled-1.0.dist-info" / "entry_points.txt").write_text("[ercframe]\nno equals sign\n")
        found = messages(doctor(tmp_path))
        assert any(m.startswith("the entry points of garbled cannot be read: TypeError") for m in found)

    def test_the_report_has_no_name_and_no_folder(self, tmp_path):
        home = tmp_path / "home" / "jane.doe"
        home.mkdir(parents=True)
        install(home, "lost", "raise RuntimeError('jane.doe was here')")
        report = ercframe(home, "doctor", "--report", expect=1, HOME=str(home), USER="jane.doe", LOGNAME="jane.doe")
        assert "RuntimeError: <user> was here" in report
        assert 'File "<here>/lost.py", line 1' in report or 'File "~/lost.py", line 1' in report
        assert "jane" not in report
        assert report.startswith("### What happened\n")
        assert "```text\nTraceback" in report

    def test_a_terminal_without_dashes_is_told_and_survived(self, tmp_path):
        install(tmp_path, "lost", "raise RuntimeError('→')")
        shown = ercframe(tmp_path, "doctor", expect=1, PYTHONUTF8="0", PYTHONIOENCODING="ascii")
        assert "RuntimeError: \\u2192" in shown
        assert "standard output takes ascii, which lacks signs that tables use" in shown
        assert shown.rstrip().endswith("Broken: 1.")


class TestVersions:
    def test_the_tested_versions_are_those_of_the_constraints(self):
        installed = (ROOT / "ercframe" / "doctor" / "tested.txt").read_text("utf-8")
        assert installed == (ROOT / "constraints.txt").read_text("utf-8"), (
            "constraints.txt has changed: cp constraints.txt ercframe/doctor/tested.txt"
        )

    def test_every_requirement_is_understood(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        written = project["dependencies"] + [
            f'{line}; extra == "{extra}"' for extra, lines in project["optional-dependencies"].items() for line in lines
        ]
        assert len(list(requirements(written))) == len(written)
        assert {name.lower() for name, _, extra in requirements(project["dependencies"])} <= set(
            versions.tested_versions()
        )

    @pytest.mark.parametrize(
        ("installed", "state"),
        [
            ("2.13.0", "tested"),
            ("2.13.4", "tested"),
            ("2.14.0", "untested"),
            ("2.9.1", "untested"),
            ("2.14.0rc1", "untested"),
            ("2.5.1", "too old"),
            ("", "missing"),
        ],
    )
    def test_a_version_is_compared_with_the_minimum_and_the_tested_series(self, installed, state):
        assert Package("torch", "", "2.6", "2.13.0", installed).state == state

    def test_what_is_required_and_lacks_is_an_error_and_other_series_are_one_warning(self):
        found = [
            Package("torch", "", "2.6", "2.13.0", "2.5.1"),
            Package("numpy", "", "1.26", "2.4.6", "2.5.0"),
            Package("rich", "", "13.9", "15.0.0", "14.1.0"),
            Package("typer", "", "0.15", "0.29.2", ""),
            Package("av", "audio", "14", "18.1.0", ""),
        ]
        assert list(versions.ailments(found)) == [
            Ailment("error", "torch>=2.6 is required (got 2.5.1)", "pip install -c constraints.txt 'ercframe'"),
            Ailment("error", "typer>=0.15 is required (got none)", "pip install -c constraints.txt 'ercframe'"),
            Ailment(
                "warning",
                "other versions than those that ercframe was tested with: numpy 2.5.0 (tested 2.4.6), "
                "rich 14.1.0 (tested 15.0.0)",
                "nothing, unless something fails; then install with `-c constraints.txt`",
            ),
        ]
        assert extras(found) == {"audio": ["av"]}


class TestSurroundings:
    def test_a_place_that_cannot_be_written_to_is_an_error_and_a_full_one_a_warning(self):
        places = {
            "current folder": {"path": "/a", "writable": False, "free_bytes": 0},
            "temporary folder": {"path": "/b", "writable": True, "free_bytes": 3e8},
        }
        first, second = around(places, "utf-8")
        assert (first.level, first.message) == ("error", "the current folder /a cannot be written to")
        assert (second.level, second.message) == ("warning", "the temporary folder /b has 0.3 GB left")

    def test_a_second_package_on_the_path_is_told(self, tmp_path, monkeypatch):
        (tmp_path / "ercframe").mkdir()
        (tmp_path / "ercframe" / "__init__.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
        found = [ailment.message for ailment in distributions_of.ailments()]
        assert any(f"{tmp_path / 'ercframe'} is hidden" in message for message in found)

    def test_names_in_paths_are_shortened_wherever_they_stand(self, monkeypatch):
        monkeypatch.setenv("USER", "jane")
        text = "/home/jane/x.py /Users/Jane Doe C:\\Users\\jane\\y (jane) janet"
        assert anonymous(text) == "~/x.py ~ Doe ~\\y (<user>) janet"


def test_graphics_cards_are_described():
    card = SimpleNamespace(total_memory=150e9)
    cuda = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_name=lambda i: "NVIDIA H200",
        get_device_capability=lambda i: (9, 0),
        get_device_properties=lambda i: card,
    )
    backends = SimpleNamespace(
        mps=SimpleNamespace(is_available=lambda: False), cpu=SimpleNamespace(get_cpu_capability=lambda: "AVX2")
    )
    torch = SimpleNamespace(
        cuda=cuda, backends=backends, version=SimpleNamespace(cuda="12.8"), get_num_threads=lambda: 8
    )
    torch.__version__ = "2.13.0+cu128"
    found = Found(torch=_devices(torch))
    program = dict.fromkeys(("ercframe", "installed in", "python", "interpreter", "system"), "?")
    diagnosis = Diagnosis(program, (), found, {}, {}, {"encoding": "utf-8"}, ())
    shown = " ".join(" ".join(lines(diagnosis)).split())
    assert "2.13.0+cu128; CUDA 12.8: NVIDIA H200 (150 GB, capability 9.0); CPU AVX2" in shown
    assert "Nothing." in markdown(diagnosis)
    json.dumps(diagnosis.as_json())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--report"], "--json and --report must not be given together"),
        (["--plugin", "nowhere.py"], "plugin file not found: nowhere.py"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, message, capsys):
    assert run_app(["doctor", *arguments]) == 2
    assert capsys.readouterr().err == f"{message}\n"
