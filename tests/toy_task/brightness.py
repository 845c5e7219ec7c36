"""The protocol: two epochs, one fully-connected layer on the last map."""

default_scope = "mmengine"
version = 1
model = dict(
    type="toy_task.Brightness",
    backbone=dict(norm_eval=True),
    data_preprocessor=dict(
        type="ImgDataPreprocessor", mean=[123.68, 116.779, 103.939], std=[58.393, 57.12, 57.375], bgr_to_rgb=False
    ),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type="trick_transfer.DrawSampler", shuffle=True),
    dataset=dict(
        type="trick_transfer.Seeded", dataset=dict(type="toy_task.Photos", data_root="data/toy", split="train")
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(type="toy_task.Photos", data_root="data/toy", split="val"),
)
val_evaluator = dict(type="toy_task.Accuracy")
train_cfg = dict(by_epoch=True, max_epochs=2, val_begin=3)
val_cfg = dict(type="ValLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.01))
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[1])]
