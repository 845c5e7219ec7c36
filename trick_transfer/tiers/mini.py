"""mini: the embedded synthetic scenes, in minutes on two CPU cores. Data only, no logic.

`data` names a data set (data_sets/sources.py). `times` multiplies a recipe's value, `rounded_times` rounds the product,
`values` replaces one, `first` cuts a list of data sets to so many; `departs` lists what else the tier changes. In a
dotted key `*` is every entry of a list, and a class's name is the entry of that type. Entries under a protocol's name
are added to those of its stage. `stand_ins` replaces single old values.
These values were chosen by measurement, not taken from the paper.
"""

_animals = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
_one_process = {  # both cores are busy training, and a small picture costs 0.2 ms
    "train_dataloader.num_workers": 0,
    "val_dataloader.num_workers": 0,
}
_no_workers = {
    **_one_process,
    "train_dataloader.persistent_workers": False,
    "val_dataloader.persistent_workers": False,
}
_materials = ("sky", "grass", "gravel", "sand", "water", "wood", "tile", "brick", "plaster", "hedge")

classification = dict(
    data="mini/imagenet1k",
    rounded_times={
        # 224 and 256 px become 64 and 72, at stored images of 88 px; Inception-V3's 299 and 342 become 85 and 96. It
        # accepts no fewer than 75.
        "train_dataloader.dataset.dataset.crop.size_px": 64 / 224,
        "val_dataloader.dataset.crop.size_px": 64 / 224,
        "val_dataloader.dataset.crop.shorter_px": 72 / 256,
        "global_batch": 1 / 32,  # 256 -> 8 and 1024 -> 32 images, so that few epochs still make some hundred steps
        "max_epochs": 1 / 25,  # 120 -> 5 and 200 -> 8 epochs of 6,000 images
    },
    times={
        # 0.1 -> 0.02 and 0.4 -> 0.08. At a low rate the residual branches, whose gamma starts at 0, stay off: top-1 on
        # the split `tuning` (with all branches off) of ResNet-18-D, mixup, 8 epochs, seed 0, bf16, one H200, at rate
        # 0.01: 61.7 (61.9), 0.02: 65.3 (61.1), 0.04: 62.1 (43.8), 0.08: 67.0 (33.7), 0.15: 67.7 (25.3)
        "optim_wrapper.optimizer.lr": 1 / 5,
        # 5 -> 0.31 epochs, or 58 steps; the paper's share of the schedule would be 37 steps
        "schedule.warmup_epochs": 1 / 16,
        "schedule.milestones": "max_epochs",  # multiplied as that key is
    },
    values={
        "data.name": "mini",
        "data.num_train": 6_000,
        "data.num_val": 1_000,
        "model.num_classes": len(_animals),
        **_one_process,
    },
    # Shallower networks under the recipes' names. At rate 0.08, measured as above, ResNet-34-D has 66.3 (27.0) and a
    # bottleneck network of eight blocks, ResNet-26-D, 50.0 (38.2). 34 layers are the teacher's.
    stand_ins={"model.backbone.depth": {50: 18, 152: 34}},
)

probing = dict(
    data="mini/imagenet1k",
    values={
        "data.num_classes": len(_animals),
        "data.crop.size_px": 64,  # as in classification
        "data.crop.shorter_px": 72,
        **_one_process,
    },
)

_train_sets = "train_dataloader.dataset.dataset.datasets.*"
_short_px, _detection_epochs = 160, 3  # the paper's 20 epochs make 83,000 steps, these 375

detection = dict(
    data="mini/voc0712",
    values={
        f"{_train_sets}.metainfo.classes": _animals,
        f"{_train_sets}.pipeline.Resize.scale": (10_000, _short_px),  # scenes of 176x128
        "val_dataloader.dataset.metainfo.classes": _animals,
        "val_dataloader.dataset.pipeline.Resize.scale": (10_000, _short_px),
        "model.roi_head.bbox_head.num_classes": len(_animals),
        "model.train_cfg.rpn.sampler.num": 32,
        "model.train_cfg.rcnn.sampler.num": 16,  # stage 4 on 128 RoIs of 14x14 an image would take seconds
        "model.train_cfg.rpn_proposal.nms_pre": 1000,
        "model.train_cfg.rpn_proposal.min_bbox_size": 4,
        "model.train_cfg.rpn_proposal.max_per_img": 200,
        "model.test_cfg.rpn.nms_pre": 1000,
        "model.test_cfg.rpn.min_bbox_size": 4,
        "model.test_cfg.rpn.max_per_img": 50,
        "optim_wrapper.optimizer.lr": 0.02,  # 20 times the paper's, for 1 / 220 of its steps
        "param_scheduler.MultiStepLR.milestones": [_detection_epochs - 1],
        "train_cfg.max_epochs": _detection_epochs,
        "train_cfg.val_begin": _detection_epochs + 1,
        "val_dataloader.batch_size": 4,
        **_no_workers,
    },
    departs={"optim_wrapper.type": "trick_transfer.LowPrecisionOptimWrapper"},
)
_c4 = {  # the FPN protocol's levels and its two-layer head are small enough
    "model.roi_head.bbox_head.roi_feat_size": 3,
    "model.roi_head.bbox_roi_extractor.roi_layer.output_size": 6,
    # x 16 px; at 160 px the best anchor reaches IoU 0.5 for 87 % of the boxes
    "model.rpn_head.anchor_generator.scales": [2, 4],
}
_paper_like = {"param_scheduler.LinearLR.end": 20, **_c4}
faster_rcnn_voc = faster_rcnn_voc_frozen = faster_rcnn_voc_swept = dict(values=_paper_like)
_scratch_epochs = 6 * _detection_epochs
faster_rcnn_voc_scratch = dict(
    values={
        **_paper_like,
        "param_scheduler.MultiStepLR.milestones": [_scratch_epochs - 1],
        "train_cfg.max_epochs": _scratch_epochs,
        "train_cfg.val_begin": _scratch_epochs + 1,
    },
)
faster_rcnn_voc_authors = faster_rcnn_voc_small = dict(values=_c4)

_crop_px, _base_px = 96, 104  # the paper's 480 and 520
_scales = [(100_000, _base_px // 2), (100_000, _base_px * 2)]
_segmentation_epochs = 4

segmentation = dict(
    data="mini/ade20k",
    values={
        "train_dataloader.dataset.dataset.metainfo": dict(classes=_animals + _materials),
        "val_dataloader.dataset.metainfo": dict(classes=_animals + _materials),
        "model.decode_head.num_classes": len(_animals + _materials),
        "train_dataloader.dataset.dataset.pipeline.RandomResize.scale": _scales,
        "train_dataloader.dataset.dataset.pipeline.Pad.size": (_crop_px, _crop_px),
        "train_dataloader.dataset.dataset.pipeline.RandomCrop.crop_size": (_crop_px, _crop_px),
        "param_scheduler.PolyLR.end": _segmentation_epochs,
        "train_cfg.max_epochs": _segmentation_epochs,
        "train_cfg.val_begin": _segmentation_epochs + 1,
        **_no_workers,
    },
    departs={"optim_wrapper.type": "trick_transfer.LowPrecisionOptimWrapper"},
)
_scored = {"val_dataloader.dataset.pipeline.Resize.scale": (4 * _base_px, _base_px)}
fcn_ade20k = fcn_ade20k_msflip = fcn_ade20k_small = fcn_ade20k_frozen = fcn_ade20k_swept = dict(values=_scored)
fcn_ade20k_scratch = dict(
    values={
        **_scored,
        "param_scheduler.PolyLR.end": 6 * _segmentation_epochs,
        "train_cfg.max_epochs": 6 * _segmentation_epochs,
        "train_cfg.val_begin": 6 * _segmentation_epochs + 1,
    },
)
fcn_ade20k_authors = dict(values={"model.test_cfg.long_px": _base_px, "model.test_cfg.crop_px": _crop_px})
