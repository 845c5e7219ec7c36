"""Data of the user's own as a whole: described, split, laid out once, and run through the stages that they are for."""

import json
import os
import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trick_transfer import command_line
from trick_transfer.command_line import PROGRAM
from trick_transfer.commands import data, pipeline
from trick_transfer.engine.source import Found, Sample
from trick_transfer.own_data.describe import LONGER, Described, describe
from trick_transfer.own_data.prepare import facts_file, prepared, usable
from trick_transfer.own_data.source import Source
from trick_transfer.own_data.split import with_splits
from trick_transfer.runs import tiers
from trick_transfer.runs.grid import chains
from trick_transfer.runs.run import Run
from trick_transfer.stages import STAGES, usual

ROOT = Path(__file__).parents[1]
CLASSIFICATION, SEGMENTATION = STAGES["classification"], STAGES["segmentation"]
KINDS = ("rose", "traffic light", "Ünter 5 %")


def picture(path, *seed, mode="RGB"):
    """A small picture of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(small).resize((80, 64)).convert(mode).save(path)


@pytest.fixture
def flowers(tmp_path):
    """Three classes of twelve pictures, without a split."""
    for label, kind in enumerate(KINDS):
        for number in range(12):
            picture(tmp_path / "flowers" / kind / f"{number}.jpg", label, number)
    return tmp_path / "flowers"


@pytest.fixture
def fields(tmp_path):
    """Twenty pictures with masks of three classes from 0, where 255 is void."""
    for number in range(20):
        picture(tmp_path / "fields/images" / f"{number}.png", number)
        mask = np.random.default_rng(number).choice(np.array([0, 1, 2, 255], np.uint8), (64, 80))
        (tmp_path / "fields/masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(tmp_path / "fields/masks" / f"{number}.png")
    return tmp_path / "fields"


def source(where, **stated):
    return Source.of(CLASSIFICATION, {"folder": where, "format": "folders"} | stated, "tier mine", Path())


def tool(*words):
    return subprocess.run([*PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)


def data_tool(monkeypatch, *words):
    """tools/data.py in this process; returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["data", *map(str, words)])
    return command_line.tool(data.main)


def planned(monkeypatch, *words):
    """The runs of a pipeline, and its options."""
    monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, words)])
    args = pipeline.options()
    return chains(args)[0], args


def test_a_split_is_by_the_hash_of_each_name_and_stays_when_images_are_added():
    names = [f"cat/{number}" for number in range(2_000)]
    found = Found([Sample(name, Path(name), 0) for name in names], ("cat",))
    whole = {sample.name: sample.split for sample in with_splits(found, 20).samples}
    part = with_splits(found.with_samples(found.samples[::3]), 20)
    assert {sample.name: sample.split for sample in part.samples}.items() <= whole.items()
    scored = sum(split == "val" for split in whole.values())
    assert 0.17 < scored / len(names) < 0.23  # 20 % plus or minus three standard deviations
    first = int(sha256(b"cat/0").hexdigest(), 16) / 2**256
    assert whole["cat/0"] == ("val" if first < 0.2 else "train")
    assert re.search(r"667 images have no split: 20 % by the hash .*train.*val", part.reading[-1])


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"format": "folder"}, "'folders'"),
        ({"val_procent": 10}, "'val_percent'"),
        ({"val_percent": 100}, "below 100"),
        ({"duplicates": "remove"}, "drop"),
        ({"folder": 3}, "folder must be a path, got 3"),
        ({"train": 3}, "train must be a text, got 3"),
        ({"format": "list", "header": "no"}, "header must be True or False, got 'no'"),
        ({"classes": 3}, "classes must be a list of names in the order of their numbers, got 3"),
        ({"classes": {(0, 0, 0): "ant"}}, "the keys of classes must be names or numbers"),
        ({"folder": "/nowhere/at/all"}, "/nowhere/at/all does not exist"),
    ],
)
def test_a_misspelt_source_is_refused_with_what_was_meant(flowers, stated, named):
    with pytest.raises((ValueError, OSError), match=re.escape(named)):
        source(flowers, **stated).read(CLASSIFICATION)


def test_a_source_is_laid_out_once_and_anew_only_when_a_file_was_changed(flowers, capsys):
    root = Path("data/mine/classification")
    facts = prepared(CLASSIFICATION, source(flowers), root)
    assert facts.classes == list(KINDS) and sum(facts.counts.values()) == 36
    assert json.loads(facts_file(root).read_text())["counts"] == facts.counts
    made = root.stat().st_ino
    assert prepared(CLASSIFICATION, source(flowers), root) == facts and root.stat().st_ino == made
    picture(flowers / "rose" / "new.jpg", 99)
    with pytest.raises(FileNotFoundError, match="correct the folder"):
        prepared(CLASSIFICATION, source("/nowhere/at/all"), root)
    changed = prepared(CLASSIFICATION, source(flowers), root)
    assert sum(changed.counts.values()) == 37 and root.stat().st_ino != made
    assert prepared(CLASSIFICATION, source(flowers, val_percent=50), root).counts["val"] > changed.counts["val"]
    facts_file(root).write_text("{")
    with pytest.raises(ValueError, match="delete it"):
        prepared(CLASSIFICATION, source(flowers), root)
    assert len(list(flowers.rglob("*.jpg"))) == 37, "the user's folder is as it was"


def test_images_beside_a_list_are_laid_out_anew_when_they_change(flowers, capsys):
    names = [f"{kind}/{number}.jpg" for kind in KINDS for number in range(12)]
    lines = [f"{name},{name.split('/')[0]},{'val' if number % 3 else 'train'}" for number, name in enumerate(names)]
    (flowers / "list.csv").write_text("\n".join(lines))
    stated, root = source(flowers / "list.csv", format="list"), Path("data/mine/classification")
    facts = prepared(CLASSIFICATION, stated, root)
    capsys.readouterr()
    assert prepared(CLASSIFICATION, stated, root) == facts and not capsys.readouterr().out
    picture(flowers / names[0], 99)
    prepared(CLASSIFICATION, stated, root)
    assert "is read as 'list'" in capsys.readouterr().out
    (flowers / names[0]).unlink()
    with pytest.raises(ValueError, match="line 1: .*does not exist"):
        prepared(CLASSIFICATION, stated, root)


def test_classes_whose_names_look_the_same_are_told(tmp_path):
    for number, kind in enumerate(("Rose", "rose ", "tulip")):
        picture(tmp_path / kind / "1.jpg", number)
    told = usable(source(tmp_path).read(CLASSIFICATION), source(tmp_path), CLASSIFICATION).reading
    assert [line for line in told if line.endswith("spaces at their ends: Rose, rose ")]


@pytest.mark.parametrize(("folder", "words"), [("data/roses", []), ("roses", ["--name", "mini"]), ("photos", [])])
def test_own_data_are_not_laid_out_among_other_data(folder, words, monkeypatch):
    """Nor in their own folder, whose files they would add to."""
    for kind in ("a", "b"):
        picture(Path(folder, kind, "1.jpg"), ord(kind))
    with pytest.raises(ValueError, match="--name"):
        planned(monkeypatch, "resnet50d_efficient", "--classification", folder, *words)
    with pytest.raises(ValueError, match="lies in their folder"):
        prepared(CLASSIFICATION, source(folder), Path(folder, "classification"))
    assert not list(Path().rglob("*.py")) and not list(Path().rglob("*.json"))


def test_a_broken_image_is_named_by_its_own_path_and_nothing_is_left(flowers):
    path = flowers / "rose" / "3.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        prepared(CLASSIFICATION, source(flowers), Path("data/mine/classification"))
    assert not list(Path("data").rglob("*.jpg")) and not list(Path("data").rglob("*.json"))


def test_broken_images_are_told_with_all_other_problems(flowers):
    path = flowers / "rose" / "3.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    (flowers / "lily").mkdir()
    with pytest.raises(
        ValueError,
        match=rf"class lily has no image.*; {re.escape(str(path))} is a truncated JPEG; replace the file or remove it;",
    ):
        prepared(CLASSIFICATION, source(flowers), Path("data/mine/classification"))


def test_folders_on_the_command_line_become_a_tiers_file_and_stages_without_data_are_left_out(
    flowers, fields, monkeypatch
):
    words = ["resnet50d_efficient", "--classification", flowers, "--segmentation", fields]
    runs, args = planned(monkeypatch, *words)
    assert args.tier == "data/flowers_fields.py" and args.stages == ("classification", "segmentation")
    text = Path(args.tier).read_text()
    assert "255" in text and str(flowers) in text and "20 % by the hash" in text
    assert [run.stage for run in runs] == ["classification", "segmentation"]
    first, last = (run.layers.cfg for run in runs)
    assert (first.model.num_classes, first.data.num_train + first.data.num_val) == (3, 36)
    assert first.data.name == "flowers_fields" and last.model.decode_head.num_classes == 3
    again, _ = planned(monkeypatch, "resnet50d_efficient", "--data", args.tier)
    assert [run.words() for run in again] == [run.words() for run in runs]
    assert planned(monkeypatch, *words)[1].tier == args.tier  # the file is there, and taken
    with pytest.raises(ValueError, match="--name"):
        planned(monkeypatch, "resnet50d_efficient", "--classification", fields.parent, "--name", "flowers_fields")


def test_too_few_images_for_a_batch_are_told_before_anything_is_trained(flowers, fields, monkeypatch, capsys):
    for number in range(12, 20):
        (fields / "images" / f"{number}.png").unlink()
        (fields / "masks" / f"{number}.png").unlink()
    words = ["pipeline", "resnet50d_efficient", "--classification", flowers, "--segmentation", fields, "--plan"]
    monkeypatch.setattr(sys, "argv", [*map(str, words), "--name", "few"])
    assert command_line.tool(pipeline.main) == 2
    told = capsys.readouterr().err
    assert re.search(r"error: segmentation: \d+ training images do not fill one batch of 16 .*batch_size", told)
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--set", "segmentation.train_dataloader.batch_size=8"])
    assert command_line.tool(pipeline.main) == 0


def test_without_classification_data_backbones_are_those_of_the_tier_whose_sizes_are_taken(fields, monkeypatch):
    runs, args = planned(monkeypatch, "resnet50d_random", "--segmentation", fields, "--tier", "mini")
    assert tiers.load(args.tier).backbones == "mini"
    assert [(run.stage, run.tier_file.name) for run in runs] == [("classification", "mini"), ("segmentation", "fields")]
    assert runs[1].card == runs[0].card and runs[1].folder.parts[1] == "fields"
    runs[0].card.parent.mkdir(parents=True)
    runs[0].card.write_text("{}")
    assert [run.stage for run in planned(monkeypatch, "resnet50d_random", "--data", args.tier)[0]] == ["segmentation"]


def test_lengths_are_for_as_many_images_and_few_images_get_smaller_batches(flowers):
    base = tiers.load("photos")
    stated = describe({CLASSIFICATION: Source.recognised(CLASSIFICATION, flowers)}, "photos", base.parts, None)
    Path("mine.py").write_text(stated)
    own, theirs = (tiers.load(name).parts["classification"] for name in ("mine.py", "photos"))
    train = own["images"]
    assert own["rounded_times"]["max_epochs"] == pytest.approx(LONGER * theirs["rounded_times"]["max_epochs"], rel=1e-3)
    cfg = Run("classification", "resnet50d_efficient", "mine.py").layers.cfg
    assert 4 * cfg.global_batch <= train < 8 * cfg.global_batch
    rate = Run("classification", "resnet50d_efficient", "photos").layers.cfg
    assert cfg.optim_wrapper.optimizer.lr / cfg.global_batch == pytest.approx(
        rate.optim_wrapper.optimizer.lr / rate.global_batch
    )


@pytest.mark.parametrize("stage", usual())
def test_many_images_are_shown_once_at_least(stage, flowers):
    found = Found([Sample(str(number), Path(str(number)), 0, "train") for number in range(100)], KINDS)
    stated = tiers.load("photos").parts[stage] | {"images": 1}  # a hundredth of these
    described = Described(source(flowers), found, stated)
    epochs = {"classification": "max_epochs"}.get(stage, "train_cfg.max_epochs")
    named = {"classification": 120, "detection": 20, "segmentation": 120}[stage]  # of the recipe, or the protocol
    assert round(named * described.lengths()["rounded_times"][epochs]) >= 1


def test_what_was_written_down_is_taken_as_the_user_edited_it_also_for_folders(flowers, fields, monkeypatch, capsys):
    words = ["resnet50d_efficient", "--name", "edited", "--classification"]
    Path("data").mkdir()
    edited = 'classification = dict(source=dict(folder="../flowers", format="folders", val_percent=50))\n'
    Path("data/edited.py").write_text(f'base = "photos"\nstages = ("classification",)\n{edited}')
    (run,), args = planned(monkeypatch, *words, flowers)
    assert "data/edited.py is there already, and taken as it is; delete it" in capsys.readouterr().out
    assert args.tier == "data/edited.py" and edited in Path(args.tier).read_text()
    assert run.source.val_percent == 50
    for others in ([fields], [flowers, "--segmentation", fields]):
        with pytest.raises(ValueError, match=rf"describes other folders \(classification {flowers}\).*another --name"):
            planned(monkeypatch, *words, *others)


@pytest.mark.parametrize("images", [0, 3])
def test_a_file_whose_lengths_were_chosen_for_other_images_is_told_and_one_for_none_refused(
    flowers, monkeypatch, capsys, images
):
    words = ["resnet50d_efficient", "--classification", flowers]
    _, args = planned(monkeypatch, *words)
    path = Path(args.tier)
    written = path.read_text()
    train = tiers.load(args.tier).parts["classification"]["images"]
    path = path.rename(path.with_stem(f"again_{images}"))
    path.write_text(written.replace(f"'images': {train}", f"'images': {images}"))
    monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, words), "--name", path.stem, "--plan"])
    assert command_line.tool(pipeline.main) == 0
    said = f"the lengths in {path} were chosen for {images} images, and {train} are there; delete it"
    assert said in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", sys.argv[:-1])
    if not images:
        assert command_line.tool(pipeline.main) == 2 and said in capsys.readouterr().err


@pytest.mark.parametrize(("stage", "name"), [("segmentation", "masks.zip"), ("classification", "masks.zip")])
def test_an_archive_of_images_and_masks_is_no_class_folder(fields, monkeypatch, stage, name):
    shutil.make_archive(str(fields.with_name("masks")), "zip", fields)
    named = {"segmentation": "is an archive, which only class folders are", "classification": r"\(it holds \d+ "}
    with pytest.raises(ValueError, match=named[stage]):
        planned(monkeypatch, "resnet50d_efficient", f"--{stage}", fields.with_name(name))


def test_no_name_in_the_data_breaks_the_file_that_describes_them(tmp_path, monkeypatch):
    """What is told is a comment there; `\\U` in a text, or three quotes, would be Python."""
    names = ['a"""b', r"c\Users\N{x}", "d\ne", os.fsdecode(b"f\xff")]
    for number, name in enumerate(["train/a", "train/b", "val/a", "val/b", *names]):
        picture(tmp_path / "odd" / name / "1.jpg", number)
    _, args = planned(monkeypatch, "resnet50d_efficient", "--classification", tmp_path / "odd")
    assert tiers.load(args.tier).source(CLASSIFICATION).folder == tmp_path / "odd"
    assert "left out beside them" in Path(args.tier).read_text() and r"\udcff" in Path(args.tier).read_text()


def test_a_tiers_own_data_take_no_other_folder_and_a_tier_of_data_no_folders(flowers, monkeypatch):
    _, args = planned(monkeypatch, "resnet50d_efficient", "--classification", flowers)
    with pytest.raises(ValueError, match="leave out --data-root"):
        Run("classification", "resnet50d_efficient", args.tier, data_root=flowers)
    with pytest.raises(ValueError, match="built-in|go with"):
        planned(monkeypatch, "resnet50d_efficient", "--data", args.tier, "--classification", flowers)
    with pytest.raises(ValueError, match="--classification"):
        planned(monkeypatch, "resnet50d_efficient", "--name", "mine")


def test_check_says_how_a_folder_is_read_and_draws_it(flowers, fields, monkeypatch, capsys):
    assert data_tool(monkeypatch, "check", flowers) == 0
    said = capsys.readouterr().out
    assert re.search(r"^train: \d+ images; 3 classes: rose \d+, traffic light \d+, Ünter 5 % \d+; empty", said, re.M)
    assert "'folders'" in said and "3 classes: rose, traffic light, Ünter 5 %" in said
    assert "short side 64 to 64 px" in said and "0 problems" in said
    assert Image.open("work/sheets/flowers_classification.png").size[0] == 5 * 288
    assert data_tool(monkeypatch, "check", fields) == 0
    assert re.search(r"^train: \d+ images; 3 classes: .*[a-z] .*\d+; empty: none\nval: ", capsys.readouterr().out, re.M)
    (fields / "masks" / "3.png").unlink()
    assert data_tool(monkeypatch, "check", fields, "--sheets", "sheets") == 1
    said = capsys.readouterr().out
    assert f"problem: {fields / 'images' / '3.png'}" in said
    assert re.search(r"^  train: \d+ images; of each class: .*[a-z] .*\d+\n  val: ", said, re.M)
    assert not Path("data").exists(), "check lays nothing out"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("check", "flowrs"), "flowrs"),
        (("check", "."), "looks like none of the formats"),
        (("prepare", "."), "--classification DIR"),
        (("check", "photos", "--own"), "--own"),
    ],
)
def test_bad_words_for_the_data_tool_are_one_line(words, named, monkeypatch, capsys):
    assert data_tool(monkeypatch, *words) == 2
    told = capsys.readouterr().err
    assert named in told and told.startswith("error: ") and len(told.splitlines()) == 1


def test_prepare_photos_gets_all_that_the_tier_reads_and_lays_out_vocs_masks(monkeypatch):
    roots = []

    def fetch(facts, root, archives):
        roots.append((str(root), facts.training_images(), str(archives)))
        year = root / "VOCdevkit/VOC2012"
        for number, split in enumerate(["train", "train", "val"] if root.name == "voc2012" else []):
            picture(year / "JPEGImages" / f"{number}.jpg", number)
            mask = Image.fromarray(np.full((64, 80), number, np.uint8)).convert("P")
            (year / "SegmentationClass").mkdir(exist_ok=True)
            mask.save(year / "SegmentationClass" / f"{number}.png")
            (year / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
            with (year / "ImageSets/Segmentation" / f"{split}.txt").open("a") as file:
                file.write(f"{number}\n")

    monkeypatch.setattr(data, "prepare", fetch)
    assert data_tool(monkeypatch, "prepare", "photos") == 0
    counts = {"tiny_imagenet": 100_000, "voc2007": 5_011, "voc2012": 11_540}  # as published
    assert roots == [(f"data/{name}", images, "data/archives") for name, images in counts.items()]
    facts = json.loads(Path("data/photos/segmentation.json").read_text())
    assert facts["counts"] == {"train": 2, "val": 1} and len(facts["classes"]) == 21


def test_published_data_that_are_read_as_own_ones_are_missing_with_the_command_that_gets_them():
    with pytest.raises(FileNotFoundError, match=r"VOC2012 does not exist; tools/data\.py prepare photos gets it"):
        Run("segmentation", "resnet50d_best", "photos").layers  # noqa: B018


@pytest.mark.skipif(not (ROOT / "data/photos").is_dir(), reason="the photographs of photos100 may not be passed on")
@pytest.mark.parametrize(
    ("name", "train", "val"),
    [("classification", 30_000, 5_000), ("detection", 3_025, 1_927), ("segmentation", 468, 233)],
)
def test_photos100_is_read_without_a_problem_in_as_many_images_as_its_file_says(name, train, val):
    stage = STAGES[name]
    found = tiers.load(str(ROOT / "docs/benchmarks/photos100.py")).source(stage).read(stage)
    assert found.counts() == {"train": train, "val": val} and not found.problems + stage.lacking(found)


def test_photos_is_mini_in_all_but_data_sizes_and_lengths():
    for name in ("classification", "detection", "segmentation"):
        photos, mini = (tiers.load(tier).parts[name] for tier in ("photos", "mini"))
        assert photos.get("stand_ins") == mini.get("stand_ins") and "departs" not in photos
    assert tiers.load("photos").protocol("detection") == "faster_rcnn_voc_small"
    run = Run("detection", "resnet50d_best", "photos")
    assert run.recipe_or_protocol == "faster_rcnn_voc_small"
    paper = Run("detection", "resnet50d_best", "photos", protocol="faster_rcnn_voc")
    assert paper.folder != run.folder and paper.protocol_hash() != run.protocol_hash()


@pytest.mark.slow
def test_a_folder_whose_name_is_not_utf8_is_told_on_any_terminal(tmp_path, monkeypatch):
    for number, name in enumerate(["train/a", "train/b", "val/a", "val/b", os.fsdecode(b"f\xff")]):
        picture(tmp_path / "own" / name / "1.jpg", number)
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    done = tool("data", "check", tmp_path / "own")
    assert done.returncode == 0 and r"left out beside them: f\udcff" in done.stdout, done.stderr


@pytest.mark.slow
def test_a_pipeline_on_own_data_trains_scores_and_gives_a_row_of_its_own(flowers, fields):
    tier = Path("tiny.py")
    done = tool("pipeline", "resnet50d_efficient", "--classification", flowers, "--segmentation", fields, "--plan")
    assert done.returncode == 0, done.stderr
    short = "\nclassification['values'] = {'max_epochs': 1, 'schedule.warmup_epochs': 0}\n"
    short += "segmentation['values'] = {'train_cfg.max_epochs': 1}\n"
    tier.write_text(Path("data/flowers_fields.py").read_text() + short)
    done = tool("pipeline", "resnet50d_efficient", "--data", tier, "--tracker", "none")
    assert done.returncode == 0, done.stderr
    assert "top-1" in done.stdout and "mIoU" in done.stdout and "tiny" in done.stdout
    results = [json.loads(path.read_text()) for path in Path("work/results").rglob("*.json")]
    assert {each["stage"] for each in results} == {"classification", "segmentation"}
    assert {each["tier"] for each in results} == {"tiny"} and os.path.isdir("data/tiny/segmentation")
    assert all("unknown" in each["licences"].values() for each in results)
    assert "all is done already" in tool("pipeline", "resnet50d_efficient", "--data", tier).stdout
    (miou,) = [each["metrics"]["miou"] for each in results if each["stage"] == "segmentation"]
    again = tool("test", "segmentation", "resnet50d_efficient", "--tier", tier)
    assert again.returncode == 0 and f'"miou": {miou}' in again.stdout, again.stderr
    dry = tool("train", "segmentation", "resnet50d_efficient", "--tier", tier, "--dry-run")
    trained = json.loads(Path("data/tiny/segmentation.json").read_text())["counts"]["train"]
    assert f"1 epochs of {trained} images" in dry.stdout, dry.stderr
    picture(flowers / "rose" / "late.jpg", 7)
    done = tool("pipeline", "resnet50d_efficient", "--data", tier)
    assert done.returncode == 2 and "the data are others" in done.stderr
