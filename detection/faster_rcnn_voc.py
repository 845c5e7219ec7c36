"""Faster R-CNN, C4, on VOC07+12 trainval -> VOC07 test: Table 8 of the paper (B 77.54 ... best D 81.33 mAP).

Trunk = stages 1 to 3, RoI head = stage 4 on 14 x 14 RoIAlign, both from one card. Numbers: "G" is GluonCV at 49be0191
(2018-10-10; scripts/detection/faster_rcnn/train_faster_rcnn.py and gluoncv/model_zoo/{faster_rcnn,rpn}), the authors'
code at the paper's time; "sec." is the paper. Where they differ: the text has "linear warmup and long training
schedule" (sec. 6.1), the code's default for VOC is no warm-up. Ours is the text's, with the code's values for COCO;
`faster_rcnn_voc_authors` is the code's. The code reports the best epoch on the test set; we score the last one. Lengths
are in epochs, where a run can resume.
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
        mean=[123.68, 116.779, 103.939],  # sec. 2.1, step 6, as the backbones were trained
        std=[58.393, 57.12, 57.375],
        bgr_to_rgb=True,  # OpenCV decodes to BGR
    ),
    # frozen: BN, the stem and stage 1 (G: use_global_stats, train_patterns; sec. 6.1 does not say)
    backbone=dict(type="backbones.ResNet", stages=(1, 2, 3), frozen_stages=1, norm_eval=True),
    neck=dict(type="detection.LastMap"),
    rpn_head=dict(
        type="detection.FloatRPNHead",
        in_channels=1024,  # filled from the card
        feat_channels=1024,  # G: rpn_channel
        anchor_generator=dict(  # G: base 16, 15 anchors per cell
            type="detection.RoundedAnchors", scales=[2, 4, 8, 16, 32], ratios=[0.5, 1.0, 2.0], strides=[16]
        ),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[1.0] * 4),  # G
        loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True, loss_weight=1.0),  # G: summed / anchors sampled
        loss_bbox=dict(type="SmoothL1Loss", beta=1 / 9, loss_weight=1.0),  # G: Huber, rho 1/9, the same divisor
        init_cfg=dict(type="Normal", layer="Conv2d", std=0.01),  # G
    ),
    roi_head=dict(
        type="StandardRoIHead",
        bbox_roi_extractor=dict(
            type="SingleRoIExtractor",
            # G: MXNet's ROIAlign of 2018 shifts by no half pixel, hence aligned=False
            roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2, aligned=False, use_torchvision=True),
            out_channels=1024,  # filled from the card
            featmap_strides=[16],
        ),
        shared_head=dict(
            type="detection.LastStage", backbone=dict(type="backbones.ResNet", stages=(4,), norm_eval=True)
        ),
        bbox_head=dict(
            type="detection.FloatBBoxHead",
            with_avg_pool=True,  # G: global average pool, then two Dense layers
            roi_feat_size=7,
            in_channels=2048,  # filled from the card
            num_classes=20,
            bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),  # G
            reg_class_agnostic=False,  # G: 20 * 4 outputs
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=False, loss_weight=1.0),  # G: / 128 an image
            loss_bbox=dict(type="SmoothL1Loss", beta=1.0, loss_weight=1.0),  # G: Huber, rho 1, / 128
            init_cfg=[  # G
                dict(type="Normal", std=0.01, override=dict(name="fc_cls")),
                dict(type="Normal", std=0.001, override=dict(name="fc_reg")),
            ],
        ),
    ),
    train_cfg=dict(
        rpn=dict(
            # G: the best anchor of a truth is positive only from IoU 0.3 on: lower ones become negatives afterwards
            assigner=dict(
                type="MaxIoUAssigner", pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3, match_low_quality=True
            ),
            sampler=dict(type="RandomSampler", num=256, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=False),
            allowed_border=0,  # G: anchors that cross the image's border are not used
            pos_weight=-1,
            debug=False,
        ),
        rpn_proposal=dict(  # G: 12000 -> 2000
            nms_pre=12000, max_per_img=2000, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=16
        ),
        rcnn=dict(
            assigner=dict(
                type="MaxIoUAssigner", pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False
            ),
            sampler=dict(  # G: 128 RoIs, a quarter positive
                type="RandomSampler", num=128, pos_fraction=0.25, neg_pos_ub=-1, add_gt_as_proposals=True
            ),
            pos_weight=-1,
            debug=False,
        ),
    ),
    test_cfg=dict(
        rpn=dict(  # G: 6000 -> 300
            nms_pre=6000, max_per_img=300, nms=dict(type="nms", iou_threshold=0.7), min_bbox_size=16
        ),
        # G: its limit of 400 boxes per class before NMS has no effect on 300 proposals
        rcnn=dict(score_thr=1e-4, nms=dict(type="nms", iou_threshold=0.3), max_per_img=100),
    ),
)

_train_pipeline = [  # G: FasterRCNNDefaultTrainTransform, nothing else; its flip moves boxes by a pixel, ours does not
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
    batch_size=4,  # G: 4 GPUs x 1 image; the global batch
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

train_cfg = dict(by_epoch=True, max_epochs=20, val_begin=21)  # G: 20 epochs of 4138 steps
val_cfg = dict(type="ValLoop")  # no scoring during training
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.001, momentum=0.9, weight_decay=5e-4),  # G: at batch 4
    clip_grad=dict(type="value", clip_value=5),  # G: clip_gradient, element by element
)
param_scheduler = [
    # G's warm-up for COCO: from lr / 3 over 8000 images, here 2000 steps of 4
    dict(type="LinearLR", start_factor=1 / 3, by_epoch=False, begin=0, end=2000),
    dict(type="MultiStepLR", by_epoch=True, milestones=[14], gamma=0.1),  # G: lr_decay_epoch 14
]
