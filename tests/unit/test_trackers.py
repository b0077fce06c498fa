"""The bundled trackers, read back with the readers of the tools that they write for."""

import logging
import os
import re
import struct
import subprocess
import sys
import time

import pytest
from pydantic import ValidationError
from tracked import log_of, read_json, run, stopped_and_resumed

from ercframe import plugins
from ercframe.testing import contract_cases

REGISTRY = plugins.load()
SECRETS = {
    "WANDB_API_KEY": "5ecret" * 6 + "5ecr",
    "MLFLOW_TRACKING_PASSWORD": "5ecret-mlflow",
    "MY_TOKEN": "5ecret-token",
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder, and an environment with secrets that must not get out."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setenv("WANDB__SERVICE_WAIT", "300")  # seconds for its process to start, however busy the machine is
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    yield tmp_path
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"5ecret" in path.read_bytes()] == []


def log_records(data, block=32768):
    """The whole records of a file in LevelDB's log format, after a header of seven bytes, as wandb writes them."""
    assert data[:4] == b":W&B"
    place, parts = 7, []
    while place + 7 <= len(data):
        if block - place % block < 7:  # the rest of a block that is too short for a record
            place += block - place % block
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        if place + 7 + length > len(data):
            return
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


def config(name, **settings):
    return REGISTRY.get("tracker", name).Config(**settings)


class TestTensorBoard:
    pytestmark = pytest.mark.extra

    def events(self, folder):
        """Scalars of a folder as TensorBoard's own reader gives them: name to steps and values."""
        pytest.importorskip("tensorboard")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        reader = EventAccumulator(str(folder)).Reload()
        scalars = {name: [(e.step, e.value) for e in reader.Scalars(name)] for name in reader.Tags()["scalars"]}
        texts = {
            name: reader.Tensors(name)[-1].tensor_proto.string_val[0].decode() for name in reader.Tags()["tensors"]
        }
        return scalars, texts

    def is_in(self, path, folder, seeds=(0, 1)):
        for seed in seeds:
            scalars, _ = self.events(folder / f"seed-{seed}")
            log = log_of(path, seed)
            for name in ("loss", "dev/weighted_f1", "test/accuracy", "terms/task.nll", "learning_rate", "dev/f1/happy"):
                assert [step for step, _ in scalars[name]] == [1, 2, 3, 4], name
            assert [value for _, value in scalars["loss"]] == pytest.approx([row["loss"] for row in log], rel=1e-6)
            selected = read_json(path / "summary.json")["seeds"][seed]["selected"]
            (_, result), *_ = scalars["result/selected/test/weighted_f1"]
            assert result == pytest.approx(selected["test"]["weighted_f1"], rel=1e-6)
        scalars, texts = self.events(folder)
        mean = read_json(path / "summary.json")["over_seeds"]["selected"]["test"]["weighted_f1"]["mean"]
        assert scalars["selected/test/weighted_f1/mean"] == [(0, pytest.approx(mean, rel=1e-6))]
        assert "| selection | selected on dev |" in texts["about"]
        assert "| generated | True |" in texts["about"]
        assert '"epochs": 4' in texts["settings"]
        assert "| status | finished |" in texts["result"]

    def test_its_reader_finds_every_epoch_and_the_result(self, here):
        path, said = run(here, [{"type": "tensorboard"}])
        assert said == []
        self.is_in(path, path / "tensorboard")

    def test_after_a_resume_every_epoch_is_there_once(self, here):
        path, _ = stopped_and_resumed(here, [{"type": "tensorboard", "folder": "boards"}])
        assert len(list((here / "boards" / "tiny" / path.name / "seed-1").iterdir())) == 2
        self.is_in(path, here / "boards" / "tiny" / path.name)

    def test_a_damaged_end_is_no_obstacle(self, here):
        def damage(path):
            (file,) = (path / "tensorboard" / "seed-1").iterdir()
            file.write_bytes(file.read_bytes()[:-7])

        path, _ = stopped_and_resumed(here, [{"type": "tensorboard"}], between=damage)
        self.is_in(path, path / "tensorboard")

    def test_a_folder_that_cannot_be_written_stops_nothing(self, here):
        (here / "boards").write_text("in the way")
        path, said = run(here, [{"type": "tensorboard", "folder": "boards"}])
        assert len(said) == 1
        assert "NotADirectoryError" in said[0]
        assert read_json(path / "summary.json")["status"] == "finished"


class TestMLflow:
    @pytest.fixture
    def client(self):
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        pytest.importorskip("mlflow")
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        return mlflow.MlflowClient(tracking_uri="sqlite:///mlflow.db")

    def runs(self, client, experiment="ercframe"):
        found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
        return {one.data.tags["ercframe.seed"]: one for one in found}, len(found)

    @pytest.mark.extra
    @pytest.mark.filterwarnings("ignore")
    def test_its_client_finds_every_epoch_once_also_after_a_resume(self, here, client):
        path, said = stopped_and_resumed(here, [{"type": "mlflow", "experiment": "tiny ones"}])
        assert not any("tracker" in line for line in said)
        runs, count = self.runs(client, "tiny ones")
        assert count == 3
        summary = read_json(path / "summary.json")
        for seed in (0, 1):
            one, log = runs[str(seed)], log_of(path, seed)
            history = client.get_metric_history(one.info.run_id, "loss")
            assert [(m.step, m.value) for m in sorted(history, key=lambda m: m.step)] == [
                (row["epoch"], row["loss"]) for row in log
            ]
            selected = summary["seeds"][seed]["selected"]["test"]["weighted_f1"]
            assert one.data.metrics["selected/test/weighted_f1"] == selected
            assert one.data.metrics["total/epochs"] == 4, "not what the seed came to when it was stopped"
            assert one.data.tags["mlflow.parentRunId"] == runs["all"].info.run_id
            assert one.info.status == "FINISHED"
        whole = runs["all"]
        assert whole.info.run_name == f"tiny {path.name}"
        mean = summary["over_seeds"]["selected"]["test"]["weighted_f1"]["mean"]
        assert whole.data.metrics["selected/test/weighted_f1/mean"] == mean
        assert whole.data.params["trainer.epochs"] == "4"
        assert whole.data.tags["ercframe.selection"] == "selected on dev"
        assert whole.data.tags["ercframe.generated"] == "True"
        contract = contract_cases(REGISTRY.get("tracker", "mlflow"), uri=f"sqlite:///{here / 'mlflow.db'}")
        assert [(c.id, o.message) for c in contract if (o := c.outcome()).status != "passed"] == []

    def test_a_password_is_refused(self):
        with pytest.raises(ValidationError, match="must hold no user or password, which run folders would keep"):
            config("mlflow", uri="https://me:5ecret@example.org")
        assert config("mlflow", uri="https://example.org:5000/x").uri == "https://example.org:5000/x"

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("dev/f1/happy", "dev/f1/happy"),
            ("terms/task.nll", "terms/task.nll"),
            ("dev/f1/!?", "dev/f1/-21--3f-"),
            ("dev/f1/très", "dev/f1/très"),
            ("dev/f1/..", "dev-2f-f1-2f-.."),
            ("dev/f1/a//b", "dev-2f-f1-2f-a-2f--2f-b"),
        ],
    )
    def test_names_that_it_refuses_are_changed(self, name, expected):
        from ercframe_plugins.trackers.mlflow import allowed

        assert allowed(name) == expected


@pytest.mark.extra
class TestWandB:
    def records(self, folder):
        """What an offline folder holds: its run, values by step, and summary."""
        pytest.importorskip("wandb")
        from wandb.proto.wandb_internal_pb2 import Record

        (file,) = folder.glob("run-*.wandb")
        history, summary, header = {}, {}, None
        for record in self.all_records(file, Record):
            if record.HasField("run"):
                header = record.run
            for item in record.history.item:
                key = item.key or "/".join(item.nested_key)
                history.setdefault(record.history.step.num, {})[key] = item.value_json
            for item in record.summary.update:
                summary[item.key or "/".join(item.nested_key)] = item.value_json
        return header, history, summary

    def all_records(self, file, kind, seconds=300):
        """A file's records to the last, which tells how the run ended; W&B's own process may write it a bit later."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            written = file.read_bytes()
            records = [kind.FromString(data) for data in log_records(written)] if written else []
            if records and records[-1].HasField("exit"):
                return records
            time.sleep(0.05)
        raise AssertionError(f"{file} was not ended within {seconds} seconds")

    @pytest.mark.filterwarnings("ignore")
    def test_the_newest_offline_folder_of_each_part_is_complete_also_after_a_resume(self, here):
        path, said = stopped_and_resumed(here, [{"type": "wandb", "project": "tiny ones"}])
        assert not any("tracker" in line for line in said)
        id = read_json(path / "environment.json")["id"]
        folders = sorted((path / "wandb").glob("offline-run-*"))
        # Of one part, both within a second, W&B tells the folders apart by a number at the end.
        newest = {re.search(rf"{id}-(result|seed-\d+)", folder.name)[1]: folder for folder in folders}
        assert set(newest) == {"seed-0", "seed-1", "result"}
        assert len(folders) == 5, "the second seed and the result of the first process have one each, too"
        for seed in (0, 1):
            header, history, summary = self.records(newest[f"seed-{seed}"])
            log = log_of(path, seed)
            assert (header.project, header.run_group) == ("tiny ones", f"tiny {path.name}")
            assert list(header.tags) == ["selected on dev"]
            told = {step: float(values["loss"]) for step, values in history.items() if "loss" in values}
            assert told == {row["epoch"]: row["loss"] for row in log}
            selected = read_json(path / "summary.json")["seeds"][seed]["selected"]["test"]["weighted_f1"]
            assert float(summary["selected/test/weighted_f1"]) == selected
        _, _, summary = self.records(newest["result"])
        assert summary["status"] == '"finished"'

    @pytest.mark.filterwarnings("ignore")
    def test_it_keeps_the_contract(self):
        contract = contract_cases(REGISTRY.get("tracker", "wandb"), mode="offline")
        assert [(c.id, o.message) for c in contract if (o := c.outcome()).status != "passed"] == []

    def test_its_process_ends_with_the_run(self, here):
        """Nothing is printed by it, nothing waits for it, and the exit code is the run's."""
        run(here / "first", [])  # writes the recipe
        command = [sys.executable, "-m", "ercframe", "run", "first/tiny.yaml", "trackers=[{type: wandb}]"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr) == (0, "")
        assert "wandb" not in done.stdout
