"""smoke: `mini` cut to two training steps of four images and eight images scored, for tests."""

_base_ = "mini.py"

_steps, _images = 2, 4

classification = dict(
    rounded_times={"max_epochs": 1 / 200},  # one epoch of every recipe that trains
    values={
        "global_batch": _images,
        "schedule.milestones": [1],
        "train_dataloader.num_batch_per_epoch": _steps,
        "val_dataloader.num_batch_per_epoch": _steps,
        "val_dataloader.batch_size": _images,
    },
)
# enough for ten images of each class to train on, in some 200 evenly spread
probing = dict(values={"val_dataloader.num_batch_per_epoch": 50, "val_dataloader.batch_size": _images})
_one_epoch = {"train_cfg.max_epochs": 1, "train_cfg.val_begin": 2}
_downstream = {
    **_one_epoch,
    "train_dataloader.batch_size": _images,
    "train_dataloader.num_batch_per_epoch": _steps,
}
detection = dict(
    values={
        **_downstream,
        "val_dataloader.num_batch_per_epoch": _steps,
        "val_dataloader.batch_size": _images,
    }
)
# one by one, as mmseg takes no images of several sizes in a batch
segmentation = dict(values={**_downstream, "val_dataloader.num_batch_per_epoch": _steps * _images})
faster_rcnn_voc_scratch = fcn_ade20k_scratch = dict(values=_one_epoch)
