"""Whole trainings of a tiny network: they learn, stop, refuse, start from and listen to others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from rtseg.errors import ConfigError, DataError, TrainingError, WeightsError
from rtseg.networks.trained import load_trained
from rtseg.training.history import read_steps
from rtseg.training.run import TrainResult
from rtseg.training.settings import LoopConfig

Train = Callable[..., TrainResult]


def test_a_training_learns_and_leaves_its_files(train_tiny: Train) -> None:
    result = train_tiny(
        "out", "train.epochs=15", "evaluate={again: [{data: data.yaml, split: val}]}"
    )
    assert result.complete
    assert result.reason == "finished"
    steps = read_steps(result.folder.steps)
    assert steps["step"] == list(range(30))
    assert steps["loss"][-1] < 0.5 * steps["loss"][0]
    assert {"lr", "grad_norm", "main/cross_entropy", "auxiliary/cross_entropy"} <= set(steps)
    metrics = json.loads(result.folder.metrics.read_text())
    assert metrics == result.metrics
    scores = metrics["weights"]["best.safetensors"]
    assert scores["again"]["confusion"] == scores["val"]["confusion"]
    assert scores["val"]["metrics"]["mean_iou"] > 0.6
    card = load_trained(result.folder.best).card
    assert card.metrics["val/mean_iou"] == scores["val"]["metrics"]["mean_iou"]
    assert card.training["pictures"] == 8
    assert not list(result.folder.path.glob(".*.part*"))


def test_a_folder_with_a_run_is_not_overwritten(train_tiny: Train) -> None:
    first = train_tiny("out", "train.epochs=1")
    before = first.folder.best.read_bytes()
    with pytest.raises(ConfigError, match=r"holds a run already.*--resume.*--output"):
        train_tiny("out", "train.epochs=1")
    assert first.folder.best.read_bytes() == before


def test_resuming_a_finished_run_trains_nothing(train_tiny: Train) -> None:
    first = train_tiny("out", "train.epochs=1")
    steps = first.folder.steps.read_bytes()
    first.folder.metrics.unlink()
    again = train_tiny("out", "train.epochs=1", resume=True)
    assert again.folder.steps.read_bytes() == steps
    assert again.folder.metrics.is_file()


def test_resuming_another_training_lists_what_differs(train_tiny: Train) -> None:
    train_tiny("out", "train.epochs=1")
    with pytest.raises(ConfigError) as error:
        train_tiny("out", "train.epochs=2", "optim.weight_decay=0.5", resume=True)
    assert "train.epochs: 1 in the checkpoint, 2 now" in str(error.value)
    assert "optim.weight_decay: 0.0002 in the checkpoint, 0.5 now" in str(error.value)


def test_resuming_with_a_changed_network_lists_its_tensors(
    train_tiny: Train, tmp_path: Path
) -> None:
    train_tiny("out", "train.epochs=1")
    path = tmp_path / "out" / "last.pt"
    state = torch.load(path)
    weights = state["learner"]["network"]
    weights["old.weight"] = weights.pop("classifier.weight")
    weights["classifier.bias"] = torch.zeros(7)
    torch.save(state, path)
    with pytest.raises(WeightsError) as error:
        train_tiny("out", "train.epochs=1", resume=True)
    for text in ("missing: classifier.weight", "unexpected: old.weight", "classifier.bias is"):
        assert text in str(error.value)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"last\.pt can't be read.*--output"):
        train_tiny("out", "train.epochs=1", resume=True)
    assert (tmp_path / "out" / "best.safetensors").is_file()


def test_resuming_with_other_pictures_is_refused(train_tiny: Train, tmp_path: Path) -> None:
    train_tiny("out", "train.epochs=1", "train.batch_size=2")
    for folder in ("images", "masks"):
        (tmp_path / "data" / "train" / folder / "00.png").unlink()
    with pytest.raises(ConfigError, match="the training pictures are not the same"):
        train_tiny("out", "train.epochs=1", "train.batch_size=2", resume=True)


def test_resume_without_a_checkpoint_begins(train_tiny: Train) -> None:
    assert train_tiny("out", "train.epochs=1", resume=True).reason == "finished"


def test_stages_change_crop_and_batch_under_one_schedule(train_tiny: Train) -> None:
    stages = "stages=[{epochs: 1, crop_hw: [16, 24], batch_size: 2}, {epochs: 1}]"
    config = ("train={batch_size: 4, precision: fp32}", stages, "schedule.warmup_steps=0")
    result = train_tiny("out", *config)
    steps = read_steps(result.folder.steps)
    assert steps["epoch"] == [0, 0, 0, 0, 1, 1]
    assert steps["lr"] == pytest.approx([0.01 * (1 - t / 6) ** 0.9 for t in range(6)])
    assert load_trained(result.folder.final).card.input_hw == (48, 64)


def test_early_stop_and_time_limit_end_cleanly(train_tiny: Train) -> None:
    frozen = ("optim.lr=1e-12", "train.epochs=50", "train.early_stop=2", "train.ema_decay=null")
    early = train_tiny("early", *frozen, "network.name=tiny-plain")
    assert "stopped early" in early.reason
    assert early.metrics["epochs"] == 3
    late = train_tiny("late", "train.epochs=5000", "train.max_minutes=0.01")
    assert "max_minutes" in late.reason
    assert late.folder.best.is_file()
    assert late.metrics["steps"] < 10000


def test_a_loss_that_is_no_number_ends_it_and_keeps_the_checkpoint(
    train_tiny: Train, tmp_path: Path
) -> None:
    broken = ("network.name=tiny-that-breaks", "train.epochs=10", "train.save_every_minutes=0")
    with pytest.raises(TrainingError, match=r"broke down at step 5 \(epoch 3.*--resume.*optim.lr"):
        train_tiny("out", *broken)
    kept = torch.load(tmp_path / "out" / "last.pt")
    assert kept["step"] == 5
    tensors = kept["learner"]["network"].values()
    assert all(bool(torch.isfinite(tensor).all()) for tensor in tensors)


def test_fine_tuning_takes_the_weights_over(train_tiny: Train, tmp_path: Path) -> None:
    first = train_tiny("first", "train.epochs=10", "train.ema_decay=null")
    still = ("optim.lr=1e-12", "train.epochs=1", "train.ema_decay=null", "network.name=tiny")
    tuned = train_tiny("tuned", *still, "init.weights=first/final.safetensors")
    names = [name for name, _ in load_trained(first.folder.final).network.named_parameters()]
    old, new = (load_trained(run.folder.final).network.state_dict() for run in (first, tuned))
    assert all(torch.equal(old[name], new[name]) for name in names)
    with pytest.raises(WeightsError, match="no weights"):
        train_tiny("nothing", "init.weights=missing.safetensors")
    with pytest.raises(ConfigError, match="must agree"):
        train_tiny("other", "network.name=tiny-plain", "init.weights=first/final.safetensors")


def test_other_classes_need_a_new_head_by_name(train_tiny: Train, tmp_path: Path) -> None:
    first = train_tiny("first", "train.epochs=1")
    data = (tmp_path / "data.yaml").read_text()
    (tmp_path / "data.yaml").write_text(data.replace("name: box", "name: crate"))
    init = ("init.weights=first/final.safetensors", "train.epochs=1", "optim.lr=1e-12")
    with pytest.raises(ConfigError, match=r"init\.new_head: true"):
        train_tiny("refused", *init)
    tuned = train_tiny("tuned", *init, "init.new_head=true", "train.ema_decay=null")
    old, new = (load_trained(run.folder.final).network for run in (first, tuned))
    assert torch.equal(old.body[0].weight, new.body[0].weight)
    assert not torch.equal(old.classifier.weight, new.classifier.weight)
    assert tuned.folder.card.read_text().count("new head")


def test_a_teacher_adds_a_part_to_the_loss(train_tiny: Train) -> None:
    train_tiny("teacher", "train.epochs=10")
    taught = train_tiny("taught", "train.epochs=10", "distill.weights=teacher/best.safetensors")
    steps = read_steps(taught.folder.steps)
    assert 0 < steps["distillation"][-1] < steps["distillation"][0]


@pytest.mark.parametrize("weights", ["enet", "median_frequency", "[1.0, 2.0, 3.0]", "none"])
def test_class_weights_are_counted_or_given(train_tiny: Train, weights: str) -> None:
    terms = f"criterion.terms=[{{name: cross_entropy, class_weights: {weights}}}]"
    loss = read_steps(train_tiny("out", "train.epochs=1", terms).folder.steps)["loss"]
    plain = read_steps(train_tiny("plain", "train.epochs=1").folder.steps)["loss"]
    assert (loss == plain) is (weights == "none")


UNCHANGED = (
    "augment={scale: [1, 1], flip: 0, brightness: 0, contrast: 0, saturation: 0, hue_deg: 0}",
    "crop_hw=[48, 64]",
)


def test_accumulated_parts_are_as_good_as_the_whole_batch(train_tiny: Train) -> None:
    plain = (*UNCHANGED, "network.name=tiny-plain", "train.epochs=2")
    whole, parts = (
        read_steps(train_tiny(f"in{count}", *plain, f"train.accumulate={count}").folder.steps)
        for count in (1, 4)
    )
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-4)
    assert parts["grad_norm"] == pytest.approx(whole["grad_norm"], rel=1e-3)


def test_corrupt_picture_is_named_and_the_state_is_saved(train_tiny: Train, tmp_path: Path) -> None:
    (tmp_path / "data" / "train" / "images" / "03.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"03\.png"):
        train_tiny("memory")
    with pytest.raises(DataError, match=r"03\.png"):
        train_tiny("disk", "data.cache=disk")
    assert (tmp_path / "disk" / "last.pt").is_file()


def test_cached_and_streamed_pictures_train_alike(train_tiny: Train) -> None:
    memory = train_tiny("memory")
    disk = train_tiny("disk", "data.cache=disk")
    assert memory.folder.steps.read_bytes() == disk.folder.steps.read_bytes()


def test_crops_must_suit_the_network(train_tiny: Train) -> None:
    with pytest.raises(ConfigError, match=r"multiples of 4 from 8 up, such as 32x40"):
        train_tiny("out", "crop_hw=[30, 40]")


def test_two_trainings_never_share_a_folder(train_tiny: Train, tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another training is writing"):
            train_tiny("out", resume=True)


def test_leftovers_of_a_killed_write_are_removed(train_tiny: Train, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".last.pt.123.part").write_bytes(b"half")
    train_tiny("out", "train.epochs=1")
    assert not (tmp_path / "out" / ".last.pt.123.part").exists()


def test_same_seed_same_weights_other_seed_others(train_tiny: Train, tmp_path: Path) -> None:
    first = train_tiny("first").folder.steps.read_bytes()
    shutil.rmtree(tmp_path / "first")
    assert train_tiny("first").folder.steps.read_bytes() == first
    assert train_tiny("other", "train.seed=1").folder.steps.read_bytes() != first


def test_validation_pictures_show_the_prediction(train_tiny: Train) -> None:
    result = train_tiny("out", "train.epochs=1")
    sheet = cv2.imread(str(result.folder.pictures))
    assert sheet.shape[1] > 1000
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 10


def test_defaults_are_written_into_the_folder(train_tiny: Train) -> None:
    text = train_tiny("out", "train.epochs=1").folder.config.read_text()
    for name in LoopConfig.model_fields:
        assert f"  {name}: " in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # torch's own
def test_a_compiled_step_learns_alike(train_tiny: Train) -> None:
    plain = (*UNCHANGED, "network.name=tiny-plain", "train.epochs=3")
    eager, compiled = (
        read_steps(train_tiny(f"compile-{on}", *plain, f"train.compile={on}").folder.steps)
        for on in ("false", "true")
    )
    assert compiled["loss"] == pytest.approx(eager["loss"], rel=1e-3)
