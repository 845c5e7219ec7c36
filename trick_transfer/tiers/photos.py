"""photos: photographs that anyone can fetch, in an evening on two cores or one GPU. Data only, no logic; see mini.py.

Tiny-ImageNet-200 at 64 px for pre-training, VOC2007 trainval -> test at a short side of 176 px for detection, VOC2012
train -> val for segmentation; `tools/data.py prepare photos` fetches them. The networks are `mini`'s stand-ins, at its
rates for a batch of 16 images.
These values were chosen by measurement, not taken from the paper: on parts of the training sets of
docs/benchmarks/photos100.py that were held out for it, in bf16 on two cores of an AMD EPYC of 2026, seed 0.
`resnet50d_efficient` after 6 epochs of 26,200 images of 100 classes has top-1 19.9 (9.3 with its branches off); both
cores train 230 images/s. From there, detection after 3 epochs of 2,212 images has mAP 9.67, segmentation after 10
epochs of 374 frames mIoU 27.99; from random weights (`resnet50d_random`) it has 14.29. Detection uses C4:
2 epochs of photos100 with FPN took 1,636 s (an Intel Xeon, beside other work), C4's 4 took 1,488 s (an AMD EPYC), with
mAP 14.44 and 25.69 (`resnet50d_best`, photos100's 1,927 test images; FPN's rate was not tuned). We want a tier's
top-1 between 25 and 80, where differences show; photos100's `resnet50_baseline`, 17.46, lies below.
"""

_workers = {
    "train_dataloader.num_workers": 2,
    "val_dataloader.num_workers": 2,
}

classification = dict(
    data="tiny_imagenet",
    images=100_000,
    rounded_times={
        "train_dataloader.dataset.dataset.crop.size_px": 64 / 224,
        "val_dataloader.dataset.crop.size_px": 64 / 224,
        "val_dataloader.dataset.crop.shorter_px": 64 / 256,
        "global_batch": 1 / 16,  # 256 -> 16 and 1024 -> 64 images
        "max_epochs": 1 / 40,  # 120 -> 3 and 200 -> 5 epochs of 100,000 images
    },
    times={
        "optim_wrapper.optimizer.lr": 2 / 5,
        "schedule.warmup_epochs": 1 / 40,
        "schedule.milestones": "max_epochs",
    },
    values={
        "data.name": "tiny_imagenet",
        "data.num_train": 100_000,
        "data.num_val": 10_000,
        "model.num_classes": 200,
    },
    stand_ins={"model.backbone.depth": {50: 18, 152: 34}},
)

probing = dict(
    data="tiny_imagenet",
    values={
        "data.num_classes": 200,
        "data.crop.size_px": 64,
        "data.crop.shorter_px": 64,
        **_workers,
    },
)

_short_px = 176

detection = dict(
    data="voc2007",
    protocol="faster_rcnn_voc_small",
    images=5_011,
    rounded_times={
        "train_cfg.max_epochs": 3 / 20,  # 20 -> 3 epochs of 5,011 images, the last at a tenth of the rate
        "param_scheduler.MultiStepLR.milestones": 3 / 20,
    },
    values={
        "train_dataloader.dataset.dataset.datasets.*.pipeline.Resize.scale": (10_000, _short_px),
        "val_dataloader.dataset.pipeline.Resize.scale": (10_000, _short_px),
        "model.train_cfg.rpn.sampler.num": 64,
        "model.train_cfg.rcnn.sampler.num": 16,
        "model.train_cfg.rpn_proposal.nms_pre": 1000,
        "model.train_cfg.rpn_proposal.min_bbox_size": 4,
        "model.train_cfg.rpn_proposal.max_per_img": 200,
        "model.test_cfg.rpn.nms_pre": 1000,
        "model.test_cfg.rpn.min_bbox_size": 4,
        "model.test_cfg.rpn.max_per_img": 50,
        "train_cfg.val_begin": 1_000,
        "val_dataloader.batch_size": 4,
        **_workers,
    },
)
_c4 = {
    "model.roi_head.bbox_head.roi_feat_size": 3,
    "model.roi_head.bbox_roi_extractor.roi_layer.output_size": 6,
    "model.rpn_head.anchor_generator.scales": [1, 2, 4, 8],  # x 16 px
}
faster_rcnn_voc = faster_rcnn_voc_authors = faster_rcnn_voc_small = dict(values=_c4)
_low_precision = {"optim_wrapper.type": "trick_transfer.LowPrecisionOptimWrapper"}
faster_rcnn_voc_frozen = faster_rcnn_voc_scratch = faster_rcnn_voc_swept = (
    dict(  # what `faster_rcnn_voc_small` is to `faster_rcnn_voc`
        first={"train_dataloader.dataset.dataset.datasets": 1},
        values={"optim_wrapper.optimizer.lr": 0.02, "param_scheduler.LinearLR.end": 50, **_c4},
        departs=_low_precision,
    )
)

faster_rcnn_fpn_voc = faster_rcnn_fpn_voc_frozen = dict(
    first={"train_dataloader.dataset.dataset.datasets": 1},
    values={"optim_wrapper.optimizer.lr": 0.02, "model.rpn_head.anchor_generator.scales": [4]},  # x 4 to 64 px
    departs=_low_precision,
)

_crop_px = 128

segmentation = dict(
    data="voc2012",
    source=dict(
        folder="data/voc2012/VOCdevkit/VOC2012",
        format="voc",
        **dict.fromkeys(("duplicates", "lacking"), "keep"),  # the publisher's split
        licence="Flickr's terms of use (PASCAL VOC's database rights)",
    ),
    protocol="fcn_ade20k_small",
    images=1_464,
    rounded_times={"train_cfg.max_epochs": 1 / 20, "param_scheduler.PolyLR.end": 1 / 20},
    values={
        "train_dataloader.dataset.dataset.pipeline.RandomResize.scale": [
            (100_000, _crop_px // 2),
            (100_000, _crop_px * 2),
        ],
        "train_dataloader.dataset.dataset.pipeline.Pad.size": (_crop_px, _crop_px),
        "train_dataloader.dataset.dataset.pipeline.RandomCrop.crop_size": (_crop_px, _crop_px),
        "train_cfg.val_begin": 1_000,
        **_workers,
    },
)
_scored = {"val_dataloader.dataset.pipeline.Resize.scale": (4 * _crop_px, _crop_px)}
fcn_ade20k = fcn_ade20k_msflip = fcn_ade20k_small = dict(values=_scored)
fcn_ade20k_frozen = fcn_ade20k_scratch = fcn_ade20k_swept = dict(values=_scored, departs=_low_precision)
fcn_ade20k_authors = dict(values={"model.test_cfg.long_px": _crop_px, "model.test_cfg.crop_px": _crop_px})
