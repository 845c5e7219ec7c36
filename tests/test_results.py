import errno
import json
import multiprocessing
import os
import resource
from dataclasses import asdict, replace
from hashlib import sha256

import pytest

from trick_transfer.engine.files import file_sha256
from trick_transfer.engine.layers import changed_keys
from trick_transfer.runs.identity import fingerprint
from trick_transfer.runs.recording import keep
from trick_transfer.runs.result import UNSCORED, Result, read, write
from trick_transfer.runs.store import read_stored


def a_result(**changes):
    config = changes.pop("config", {"lr": 0.1, "sizes": [1, 2]})
    fields = dict(
        tier="mini",
        recipe="resnet50d_best",
        stage="classification",
        protocol="imagenet",
        protocol_version=1,
        protocol_hash="a" * 64,
        seed=0,
        backbone_seed=changes.get("seed", 0),
        metrics={"top1": 61.5, "top5": 90.25},
        curves={"top1": [[1, 40.0], [2, 61.5]]},
        samples_scored=500,
        outputs_sha256=sha256(repr(changes).encode()).hexdigest(),  # no two results have the same outputs
        data_manifest="c" * 64,
        licences={"code": "Apache-2.0"},
        params_m=25.6,
        gmacs=4.33,
        arrived_percent=None,
        feature_error=None,
        global_batch=64,
        lr=0.1,
        steps=300,
        per_device=8,
        accumulation=1,
        norm_parts=4,
        precision="bf16",
        low_precision="bf16",
        build={"torch": "2.6"},
        branches=None,
        device="cpu",
        devices=1,
        seconds=12.5,
        commit="c0ffee",
        dirty=False,
        versions={"torch": "2.14.1"},
        command="tools/train.py classification resnet50d_best",
        config=config,
        config_hash=fingerprint(config),
        remarks=[],
    )
    return Result(**fields | changes)


def a_detection(**changes):
    scores = {"map_voc07": 40.5, "map_area": 41.5}
    downstream = dict(params_m=None, gmacs=None, arrived_percent=100.0, feature_error=0.0)
    return a_result(**dict(stage="detection", protocol="faster_rcnn_voc", metrics=scores) | downstream | changes)


def read_all(root):
    """The sound results under a folder, and the problems with the others."""
    stored, problems = read_stored(root)
    return [each.result for each in stored], problems


def store(root, result):
    path = root / result.folder / "metrics.json"
    write(result, path)
    return path


def test_what_is_written_is_read_again(tmp_path):
    for result in (a_result(), a_detection()):
        assert read(store(tmp_path, result)) == result


def test_a_file_is_plain_json_with_every_field(tmp_path):
    data = json.loads(store(tmp_path, a_result()).read_text())
    assert data == asdict(a_result()) and data["schema"] == 4


@pytest.mark.parametrize("field", ["settings", "chosen", "compiled"])
def test_an_earlier_result_without_a_later_field_is_read(tmp_path, field):
    path = store(tmp_path, a_result())
    data = json.loads(path.read_text())
    del data[field]
    path.write_text(json.dumps(data))
    assert read(path) == a_result()


def test_only_a_classification_of_given_weights_may_be_unscored_and_says_so_throughout(tmp_path):
    unscored = dict(samples_scored=0, outputs_sha256=UNSCORED, metrics={})
    assert read(store(tmp_path, a_result(**unscored))).metrics == {}
    for changes in (dict(samples_scored=0), dict(outputs_sha256=UNSCORED), dict(metrics={})):
        with pytest.raises(ValueError, match="'samples_scored' is|metric top1 is missing"):
            a_result(**changes)
    with pytest.raises(ValueError, match="'samples_scored' is 0"):
        a_detection(**unscored)
    diverged = dict(chosen={"by": "map_voc07", "diverged": "the loss is nan"})
    assert a_detection(**unscored | diverged).metrics == {}
    with pytest.raises(ValueError, match="no image was scored, and there is map_voc07"):
        a_detection(**unscored | diverged | dict(metrics={"map_voc07": 99.0}))


def test_the_place_follows_from_the_content():
    assert str(a_result(seed=3).folder) == "mini/resnet50d_best/seed3/classification"
    assert str(a_detection().folder) == "mini/resnet50d_best/seed0/detection"
    assert str(a_detection(seed=3, backbone_seed=1).folder) == "mini/resnet50d_best/seed1/detection-seed3"
    assert str(a_detection(protocol="faster_rcnn_fpn_voc").folder).endswith("seed0/detection-faster_rcnn_fpn_voc")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = store(tmp_path, a_result())
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(OSError, match="metrics.json.*No space left") as caught:
        write(a_result(seconds=99.0), path)
    assert caught.value.errno == errno.ENOSPC and "\n" not in str(caught.value)
    assert path.read_bytes() == before and os.listdir(path.parent) == ["metrics.json"]


def test_a_write_that_the_kernel_cuts_short_leaves_the_old_file_and_nothing_else(tmp_path):
    path = store(tmp_path, a_result())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # the 101st byte of a file fails, as on a full disk
    try:
        with pytest.raises(OSError, match="metrics.json"):
            write(a_result(seconds=99.0), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and os.listdir(path.parent) == ["metrics.json"]


def write_often(root, seed):
    outputs = root / f"outputs{seed}"
    for seconds in range(30):
        store(root / "results", a_result(seed=seed, seconds=float(seconds)))
        outputs.write_text(f"{seed} {seconds}" * 10_000)
        shared = a_result(seed=9, seconds=float(seconds), outputs_sha256=file_sha256(outputs))  # both write this one
        keep(shared, outputs, root / "results" / shared.folder)


def test_two_writers_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("fork")  # the writers need not import torch again
    writers = [context.Process(target=write_often, args=(tmp_path, seed)) for seed in (0, 1)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert not [line for line in read_all(tmp_path / "results")[1] if "missing" not in line]  # never half a file
    assert [writer.exitcode for writer in writers] == [0, 0]
    results, problems = read_all(tmp_path / "results")
    assert sorted(result.seed for result in results) == [0, 1, 9] and problems == []
    assert {result.seconds for result in results} == {29.0}
    assert file_sha256(tmp_path / "results" / results[-1].folder / "outputs.npz") == results[-1].outputs_sha256


FAULTS = {  # what is named: the change
    "'seconds'": lambda data: data.pop("seconds"),
    "'schema'": lambda data: data.pop("schema"),
    "'mood'": lambda data: data.update(mood="good"),
    "'metrics.top1' is 104.5": lambda data: data["metrics"].update(top1=104.5),
    "'metrics.top1' is -1": lambda data: data["metrics"].update(top1=-1),
    "metric top5": lambda data: data["metrics"].pop("top5"),
    "'metrics.top1' is '61.5'": lambda data: data["metrics"].update(top1="61.5"),
    "'metrics.top1' is True": lambda data: data["metrics"].update(top1=True),
    "'seed' is '0'": lambda data: data.update(seed="0"),
    "'seed' is True": lambda data: data.update(seed=True),
    "'seed' is 1.0": lambda data: data.update(seed=1.0),
    "'seed' is -1": lambda data: data.update(seed=-1),
    "'dirty' is 0": lambda data: data.update(dirty=0),
    "'curves.top1.0.1' is nan": lambda data: data.update(curves={"top1": [[1, float("nan")]]}),
    "'lr' is inf": lambda data: data.update(lr=float("inf")),
    "stage is 'dreaming'": lambda data: data.update(stage="dreaming"),
    "'schema' is 1": lambda data: data.update(schema=1),
    "'command' is ''": lambda data: data.update(command=""),
    "'versions' is {}": lambda data: data.update(versions={}),
    "gmacs": lambda data: data.update(gmacs=None),
    "'samples_scored' is 0": lambda data: data.update(samples_scored=0),
    "'recipe' is '../up'": lambda data: data.update(recipe="../up"),
    "config_hash": lambda data: data["config"].update(lr=0.2),
    "backbone_seed is 1": lambda data: data.update(backbone_seed=1),
}


@pytest.mark.parametrize("named", FAULTS)
def test_an_incomplete_or_impossible_receipt_is_refused_by_name(tmp_path, named):
    path = store(tmp_path, a_result())
    data = json.loads(path.read_text())
    FAULTS[named](data)
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {named}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "\xff", '{"seed": NaN}', '{"seed": 1, "seed": 2}', "[" * 100_000]
)
def test_a_corrupt_file_is_named_in_one_line(tmp_path, text):
    path = tmp_path / "metrics.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="metrics.json: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_a_downstream_result_needs_arrived_percent():
    with pytest.raises(ValueError, match="arrived_percent is missing"):
        a_detection(arrived_percent=None)
    with pytest.raises(ValueError, match="arrived_percent' is 101"):
        a_detection(arrived_percent=101.0)


def test_a_result_that_cannot_be_read_cannot_be_made():
    with pytest.raises(ValueError, match="top1' is nan"):
        a_result(metrics={"top1": float("nan"), "top5": 1.0})
    with pytest.raises(ValueError, match="config is not plain JSON data"):
        a_result(config={"type": object()}, config_hash="x")


def test_corrupt_duplicated_and_misplaced_files_are_named_and_left_out(tmp_path):
    good = a_result()
    path = store(tmp_path, good)
    duplicate = path.parent / "metrics (copy).json"
    duplicate.write_bytes(path.read_bytes())
    misplaced = tmp_path / "mini" / "resnet50_baseline" / "seed0" / "classification" / "metrics.json"
    write(replace(good, recipe="other"), misplaced)
    corrupt = store(tmp_path, a_result(seed=1))
    corrupt.write_text(corrupt.read_text()[:100])
    copied = store(tmp_path, replace(good, seed=7, backbone_seed=7))  # of the same outputs
    alone = store(tmp_path, a_result(seed=2)).rename(tmp_path / "mini/resnet50d_best/seed2/classification/outputs.npz")
    (unknown := tmp_path / "mini/notes.txt").write_text("?")
    results, problems = read_all(tmp_path)
    assert results == [good]
    expected = {
        duplicate: "duplicate of",
        misplaced: "misplaced",
        corrupt: "",
        copied: f"a copy of {path.parent}/outputs.npz",
    }
    expected |= {alone: "its metrics.json is missing", unknown: "neither"}
    assert len(problems) == len(expected)
    assert all(any(line.startswith(str(name)) and word in line for line in problems) for name, word in expected.items())


def test_the_fingerprint_is_sha256_of_sorted_json():
    assert fingerprint({"b": (1, 2), "a": 0.1}) == sha256(b'{"a": 0.1, "b": [1, 2]}').hexdigest()


@pytest.mark.parametrize(
    "old, new, keys",
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b"]),
        ({}, {"a": {"b": 1}}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"a": [{"b": 1}, 2]}, {"a": ({"b": 9}, 2)}, ["a.0.b"]),
        ({"a": [1, 2]}, {"a": (1, 2)}, []),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": 1, "b": {"c": 2}}, {"a": 2, "b": 3}, ["a", "b"]),
    ],
)
def test_changed_keys_are_named_with_dots(old, new, keys):
    assert changed_keys(old, new) == keys
    assert (fingerprint(old) == fingerprint(new)) == (keys == [])
