"""Faster R-CNN with FPN on VOC07+12 trainval -> VOC07 test: a second protocol, not the paper's (Lin et al. 2017).

Numbers: "M" is mmdetection's configs/pascal_voc/faster-rcnn_r50-fpn_1x_voc0712.py with its bases, published at 80.4 mAP
(11 points) for ResNet-50. We depart where it treats objects or backbones differently from our C4 protocol: difficult
and small objects are trained on (M ignores the difficult and those under 32 px), gamma and beta are frozen together
with the statistics, and batches ignore aspect ratios.
"""

default_scope = "mmdet"
version = 2  # raise it when the same values give other scores; tests/test_golden.py detects that
_data_root = "data/voc0712"

_classes = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

model = dict(
    type="FasterRCNN",
    data_preprocessor=dict(
        type="DetDataPreprocessor",
        mean=[123.68, 116.779, 103.939],  # paper, sec. 2.1, step 6, as the backbones were trained
        std=[58.393, 57.12, 57.375],
        bgr_to_rgb=True,  # OpenCV decodes to BGR
        pad_size_divisor=32,  # M: so that FPN's maps align
    ),
    backbone=dict(type="backbones.ResNet", stages=(1, 2, 3, 4), frozen_stages=1, norm_eval=True),  # M
    neck=dict(type="FPN", in_channels=[256, 512, 1024, 2048], out_channels=256, num_outs=5),  # M; in: from the card
    rpn_head=dict(
        type="detection.FloatRPNHead",
        in_channels=256,
        feat_channels=256,  # M
        anchor_generator=dict(  # M
            type="AnchorGenerator", scales=[8], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),  # M
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),  # M
        loss_bbox=dict(type="L1Loss", loss_weight=1.0),  # M
        init_cfg=dict(type="Normal", layer="Conv2d", std=0.01),  # mmdet's default
    ),
    roi_head=dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=0, aligned=True, use_torchvision=True),  # M
            out_channels=256,
            featmap_strides=[4, 8, 16, 32],
        ),
        bbox_head=dict(
            type="detection.FloatShared2FCBBoxHead",
            in_channels=256,
            fc_out_channels=1024,  # M
            roi_feat_size=7,
            num_classes=20,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),  # M
            reg_class_agnostic=False,  # M
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),  # M
            loss_bbox=dict(type="L1Loss", loss_weight=1.0),  # M
        ),
    ),
    train_cfg=dict(
        rpn=dict(  # M
            assigner=dict(
                type="MaxIoUAssigner", pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, match_low_quality=True
            ),
            sampler=dict(type="RandomSampler", num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(  # M
            nms_pre=2000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(  # M
            assigner=dict(
                type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False
            ),
            sampler=dict(type="RandomSampler", num=512, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(  # M
            nms_pre=1000, max_per_img=1000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=0
        ),
        rcnn=dict(score_thr=0.05, nms=dict(type="nms", iou_threshold=0.5), max_per_img=100),  # M
    ),
)

_train_pipeline = [  # M: RandomFlip and nothing else
    dict(type="detection.LoadImage"),
    dict(type="LoadAnnotations", with_bbox=True),
    dict(type="detection.FlipPixels", prob=0.5),  # before Resize: by whole pixels
    dict(type="Resize", scale=(1000, 600), keep_ratio=True),  # short side 600, long side at most 1000
    dict(type="PackDetInputs"),
]
_test_pipeline = [
    dict(type="detection.LoadImage"),
    dict(type="Resize", scale=(1000, 600), keep_ratio=True),
    dict(type="LoadAnnotations", with_bbox=True),  # after Resize: truths stay on the original's pixels
    dict(type="PackDetInputs", meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor")),
]

train_dataloader = dict(
    batch_size=16,  # M: 8 GPUs x 2 images; the global batch
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="trick_transfer.DrawSampler", shuffle=True),
    dataset=dict(
        type="trick_transfer.Seeded",
        dataset=dict(
            type="ConcatDataset",
            datasets=[
                dict(
                    type="detection.VOC",
                    skip_broken=False,
                    metainfo=dict(classes=_classes),
                    data_root=_data_root,
                    ann_file="VOCdevkit/VOC2007/ImageSets/Main/trainval.txt",
                    data_prefix=dict(sub_data_root="VOCdevkit/VOC2007"),
                    pipeline=_train_pipeline,
                ),
                dict(
                    type="detection.VOC",
                    skip_broken=False,
                    metainfo=dict(classes=_classes),
                    data_root=_data_root,
                    ann_file="VOCdevkit/VOC2012/ImageSets/Main/trainval.txt",
                    data_prefix=dict(sub_data_root="VOCdevkit/VOC2012"),
                    pipeline=_train_pipeline,
                ),
            ],
        ),
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="detection.VOC",
        skip_broken=False,
        metainfo=dict(classes=_classes),
        data_root=_data_root,
        ann_file="VOCdevkit/VOC2007/ImageSets/Main/test.txt",
        data_prefix=dict(sub_data_root="VOCdevkit/VOC2007"),
        test_mode=True,
        pipeline=_test_pipeline,
    ),
)
val_evaluator = dict(type="detection.VOCMeanAP")

train_cfg = dict(by_epoch=True, max_epochs=12, val_begin=13)  # M: 4 epochs of the set repeated three times
val_cfg = dict(type="ValLoop")  # no scoring during training
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),  # M: at batch 16
)
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[9], gamma=0.1)]  # M: after 3 of 4, no warm-up
