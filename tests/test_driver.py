"""Many runs side by side: what waits for what, what a failure stops, GPUs for each, and two drivers on one folder."""

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_claim import FAR, left

from trick_transfer.runs import driver, workers
from trick_transfer.runs.begun import last_line
from trick_transfer.runs.driver import Driver, drive, needs
from trick_transfer.runs.launch import start
from trick_transfer.runs.places import LOG
from trick_transfer.runs.plan import train_words
from trick_transfer.runs.run import Run
from trick_transfer.runs.sweep import trials
from trick_transfer.runs.workers import Processes, visible_gpus

BEST, TEACHER = "resnet50d_best", "resnet152d_mixup"


def chain(recipe=BEST, seed=0, teacher=TEACHER):
    """A recipe's three stages on tier smoke, after its teacher."""
    first = [Run("classification", name, "smoke", seed) for name in filter(None, (teacher, recipe))]
    return first + [Run(stage, recipe, "smoke", seed) for stage in ("detection", "segmentation")]


class Fake:
    """Workers that carry out at most `most` runs at once, each in one step, and note what ran together."""

    def __init__(self, done, most=9, failing=(), stopped_at=None):
        self.done, self.most, self.failing, self.stopped_at = done, most, failing, stopped_at
        self.now, self.rounds, self.stops = [], [], 0

    def room(self, run):
        return len(self.now) < self.most

    def start(self, run):
        self.now.append(run)
        return "here"

    def send(self):
        if self.now:
            self.rounds.append({(run.recipe, run.stage) for run in self.now})

    def ended(self):
        if self.stopped_at == len(self.rounds):
            raise KeyboardInterrupt
        ended, self.now = self.now, []
        for run in ended:
            failed = run.recipe in self.failing
            if not failed:
                self.done.add(run.folder)
            yield run, 2 if failed else 0

    def stop(self):
        self.stops += 1
        return "stopped"


@pytest.fixture
def done(monkeypatch):
    """The folders of the runs that are done, as `state` sees them."""
    found = set()
    monkeypatch.setattr(driver, "state", lambda run: ("done" if run.folder in found else "missing", ""))
    monkeypatch.setattr(driver, "POLL_SECONDS", 0.0)
    return found


def test_a_run_needs_its_backbone_its_teacher_or_its_trials_as_far_as_they_are_planned():
    teacher, student, detection, segmentation = planned = chain()
    swept = Run("detection", BEST, "smoke", protocol="faster_rcnn_voc_swept")
    found = needs([*planned, *trials(swept), swept])
    assert found[teacher.folder] == [] and found[student.folder] == [teacher.folder]
    assert found[detection.folder] == found[segmentation.folder] == [student.folder]
    assert found[swept.folder] == [student.folder, *(trial.folder for trial in trials(swept))]
    assert needs(planned[2:]) == {detection.folder: [], segmentation.folder: []}, "their backbone is there already"


def test_what_is_ready_runs_side_by_side_and_what_is_done_is_not_run(done):
    planned = chain() + chain("resnet50d_cosine", teacher=None)
    done.add(planned[0].folder)
    some = Fake(done)
    assert drive(planned, some)
    assert some.rounds == [
        {(BEST, "classification"), ("resnet50d_cosine", "classification")},
        {(name, stage) for name in (BEST, "resnet50d_cosine") for stage in ("detection", "segmentation")},
    ]
    assert not drive(planned, Fake(done)), "all is done"


def test_at_most_as_many_run_at_once_as_there_is_room_for(done):
    some = Fake(done, most=2)
    drive([run for seed in range(3) for run in chain(seed=seed)], some)
    assert max(map(len, some.rounds)) <= 2 and len(done) == 12


def test_a_failure_stops_only_what_waits_for_it_and_is_told_at_the_end(done, capsys):
    planned = chain() + chain("resnet50d_cosine", teacher=None)
    log = planned[0].folder / LOG
    log.parent.mkdir(parents=True)
    log.write_text("step 1\nerror: the disk is full\n\n")
    with pytest.raises(SystemExit) as ended:
        drive(planned, Fake(done, failing=[TEACHER]))
    assert ended.value.code == 1
    assert done == {run.folder for run in planned[4:]}
    assert capsys.readouterr().err.splitlines() == [
        f"[1/7] {TEACHER} classification: failed, exit code 2: error: the disk is full",
        f"[2/7] {BEST} classification: not run, it needs [1/7] {TEACHER} classification",
        *(f"[{i}/7] {BEST} {stage}: not run, it needs [2/7] {BEST} classification"
          for i, stage in ((3, "detection"), (4, "segmentation"))),
    ]  # fmt: skip


def test_a_run_whose_state_cannot_be_read_fails_alone(done, monkeypatch):
    planned = chain(teacher=None)

    def state(run):
        if run.stage == "detection":
            raise ValueError("config.json is not JSON")
        return "done" if run.folder in done else "missing", ""

    monkeypatch.setattr(driver, "state", state)
    with pytest.raises(SystemExit):
        drive(planned, Fake(done))
    assert done == {planned[0].folder, planned[2].folder}


def test_a_driver_that_is_stopped_stops_its_workers(done):
    some = Fake(done, stopped_at=1)
    with pytest.raises(KeyboardInterrupt):
        drive(chain(), some)
    assert some.stops == 1


def test_what_another_driver_runs_is_waited_for_and_not_run_again(done, capsys):
    planned = chain()
    claim = left(planned[0].folder, FAR)
    some = Fake(done)
    one = Driver(planned, some)
    for _ in range(3):
        assert one.step() and not some.rounds
    assert capsys.readouterr().out.count("another driver runs it (process 12 on node3); this one waits") == 1
    done.add(planned[0].folder)
    claim.unlink()
    while one.step():
        pass
    assert (TEACHER, "classification") not in set().union(*some.rounds) and len(done) == 4


def test_a_run_that_another_driver_began_a_moment_earlier_waits_for_its_end(done):
    planned = chain(teacher=None)[:1]
    some = Fake(done, failing=[BEST])
    one = Driver(planned, some)
    assert one.step()
    claim = left(planned[0].folder, FAR)  # the other's; ours is refused, with exit code 2
    assert one.step() and not one.failed
    done.add(planned[0].folder)
    claim.unlink()
    assert not one.step() and not one.failed


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many GPUs, whose processes are noted and run until they are told to end."""
    begun = []

    def begin(there, **options):
        def starts(words, count, log, variables):
            begun.append(SimpleNamespace(count=count, log=log, variables=variables, returncode=None, pid=7))
            begun[-1].poll = lambda process=begun[-1]: process.returncode
            return begun[-1]

        monkeypatch.setattr(workers, "visible_gpus", lambda: [str(number) for number in range(there)])
        monkeypatch.setattr(workers, "start", starts)
        known = dict(gpus=1, accumulate=1, tracker="none", precision=None, compile=False, keep_state=False, jobs=None)
        known |= dict(jobs_per_gpu=None)
        return Processes(Namespace(**known | options)), begun

    return begin


def test_each_job_has_a_gpu_of_its_own_which_is_free_again_at_its_end(machine):
    here, begun = machine(2, jobs=8)
    first, second, third = (Run("classification", BEST, "smoke", seed) for seed in range(3))
    here.start(first)
    here.start(second)
    assert [each.variables["CUDA_VISIBLE_DEVICES"] for each in begun] == ["0", "1"]
    assert not here.room(third) and begun[0].log == first.folder / LOG
    begun[1].returncode = 0
    assert list(here.ended()) == [(second, 0)] and here.room(third)
    here.start(third)
    assert begun[2].variables["CUDA_VISIBLE_DEVICES"] == "1"


def test_jobs_share_gpus_evenly_and_a_run_of_several_processes_takes_several(machine):
    here, begun = machine(4, jobs_per_gpu=2, gpus=2)
    runs = [Run("classification", BEST, "smoke", seed) for seed in range(5)]
    for run in runs[:4]:
        assert here.room(run)
        here.start(run)
    taken = [each.variables["CUDA_VISIBLE_DEVICES"] for each in begun]
    assert sorted(",".join(taken).split(",")) == sorted("01230123") and all(len(set(each)) == 3 for each in taken)
    assert not here.room(runs[4]) and {each.count for each in begun} == {2}


def test_without_gpus_jobs_share_the_cores(machine, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(workers, "cores", lambda: 8)
    here, begun = machine(0, jobs=3)
    here.start(Run("classification", BEST, "smoke"))
    assert begun[0].variables == {"OMP_NUM_THREADS": "2"}


def test_only_the_gpus_that_this_process_may_use_are_given_out(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-abc")
    assert visible_gpus() == ["3", "GPU-abc"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert visible_gpus() == ["0", "1"]


def test_what_a_job_prints_is_added_to_its_log(tmp_path):
    log = tmp_path / "run" / LOG
    for _ in range(2):
        process = start(["none"], log=log)
        assert process.wait() == 2
    assert log.read_text().count("usage: trick-transfer") == 2 and last_line(log).startswith("usage: ")
    assert log.read_text().count("$ none\n") == 2, "each start tells its command"
    assert last_line(Path("none")) == ""


def test_a_job_that_was_killed_before_it_spoke_does_not_repeat_what_an_earlier_one_said(tmp_path):
    log = tmp_path / "run" / LOG
    log.parent.mkdir()
    log.write_text("error: of yesterday\n")
    process = start(["train", "classification", "resnet50d_best"], log=log)
    process.kill()
    process.wait()
    assert last_line(log) == "$ train classification resnet50d_best"


def test_a_training_gets_the_options_of_the_pipeline():
    run = Run("classification", BEST, "smoke")
    plain = Namespace(tracker="tensorboard", accumulate=1, precision=None, compile=False, keep_state=False)
    assert train_words(run, plain) == ["train", *run.words()]
    said = Namespace(tracker="mlflow", accumulate=2, precision="bf16", compile=True, keep_state=True)
    options = ["--tracker", "mlflow", "--accumulate", "2", "--precision", "bf16", "--compile", "--keep-state"]
    assert train_words(run, said) == ["train", *run.words(), *options]
