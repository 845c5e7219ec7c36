"""Training steps through torch.compile: the same losses, and nothing else changes."""

import shutil
from types import SimpleNamespace

import pytest
import torch

from backbones import compiling
from classification.classifier import ImageClassifier
from trick_transfer.engine.precision import LowPrecisionOptimWrapper
from trick_transfer.runs.compiling import CompiledTraining, check_compiler

NETWORK = dict(type="backbones.ResNet", depth=18, tweak="bcd", stages=(1,))
CLASSES = 7


def classifier(teacher=None):
    torch.manual_seed(0)
    model = ImageClassifier(NETWORK, CLASSES).to(memory_format=torch.channels_last).train()
    model.teacher = (teacher,) if teacher else ()
    return model


class Teacher(SimpleNamespace):
    """As classification's: no module, and no gradient."""

    def add(self, hard, logits, images):
        with torch.inference_mode():
            found = self.model(images)
        return hard + (logits - found.clone()).square().mean()


def losses(model, steps, compiled=False, lr=1e-3):
    """Of one batch, in fp32."""
    device = next(model.parameters()).device
    optimiser = torch.optim.SGD(model.parameters(), lr, momentum=0.9, nesterov=True, fused=True)
    wrapper, hook = LowPrecisionOptimWrapper("fp32", optimizer=optimiser), CompiledTraining()
    wrapper.initialize_count_status(model, 0, steps)
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(4, 3, 32, 32, generator=generator).to(device, memory_format=torch.channels_last)
    found = []
    if compiled:
        hook.before_train(SimpleNamespace(model=model))
        hook.before_train_epoch(None)
    for _ in range(steps):
        with wrapper.optim_context(model):
            loss = model.loss(images, torch.arange(4, device=device))
        wrapper.update_params(loss)
        found.append(loss.item())
    if compiled:
        hook.after_train_epoch(None)
    return found


@pytest.mark.parametrize(
    ("place", "steps"),
    [pytest.param("cpu", 6, marks=pytest.mark.slow), pytest.param("cuda", 50, marks=pytest.mark.gpu)],
)
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a compiler: apt-get install g++")
def test_compiled_steps_have_the_losses_of_others(place, steps, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    found, expected = (
        losses(classifier(Teacher(model=classifier().to(place).eval())).to(place), steps, compiled)
        for compiled in (True, False)
    )
    assert found == pytest.approx(expected, abs=1e-3) and expected[-1] < 0.9 * expected[0]


def test_student_and_teacher_are_compiled_in_training_steps_alone(monkeypatch):
    calls = []

    def stand_in(forward):
        return lambda images: calls.append(forward.__self__) or forward(images)

    monkeypatch.setattr(compiling.torch, "compile", stand_in)
    teacher = Teacher(model=classifier().eval())
    model = classifier(teacher)
    names = list(model.state_dict())
    losses(model, 1, compiled=True)
    assert calls == [model.backbone, teacher.model.backbone]
    model.eval()(torch.zeros(1, 3, 32, 32))  # as scoring and the export do
    assert len(calls) == 2 and list(model.state_dict()) == names


def test_a_machine_without_a_compiler_is_told_so(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    check_compiler(False)
    with pytest.raises(ValueError, match="--compile needs a C.. compiler.*install one"):
        check_compiler(True)
