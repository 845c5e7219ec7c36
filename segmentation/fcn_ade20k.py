"""Dilated FCN on ADE20K: 38.40 mIoU, 78.72 pixAcc for ResNet-50-D with the whole bag (Bag of Tricks, Table 9).

[code] is the authors' GluonCV at 0ed0faff (scripts/segmentation, model_zoo/fcn.py, data/segbase.py), followed where
the paper is silent, which is nearly everywhere: sec. 6.2 states "FCN" and "ADE20K", the rest is the script's default.
Departures: (1) loss and learning rate act as stated. In the code the loss is MXNet's SoftmaxOutput, whose backward
ignores the factor it is given, so its auxiliary head acts with weight 1 and its rate like 0.0025 with decay 4e-4;
which version made Table 9 is unknown. (2) Heads start as in mmseg (Kaiming; N(0, 0.01)), in the code from
U(-0.07, 0.07); mmseg drops whole channels, the code single values. (3) Scored at one scale, short side 520 px; the
authors' zoo numbers are multi-scale with flip: `fcn_ade20k_msflip`. `fcn_ade20k_authors` departs in none of these.
Batch norm trains over the whole batch of 16: the plain layer in one process, SyncBN (`sync_bn`) in several, which
torch has on accelerators only. If a batch is accumulated over steps, batch norm sees one step's images.
"""

default_scope = "mmseg"
version = 2  # raise it when the same values give other scores; tests/test_golden.py detects that
sync_bn = "torch"  # [code] --syncbn; mmengine converts all layers, and only in several processes

model = dict(
    type="segmentation.FCN",
    data_preprocessor=dict(
        type="SegDataPreProcessor",
        mean=[123.68, 116.779, 103.939],  # sec. 2.1, step 6, as the backbones were trained
        std=[58.393, 57.12, 57.375],
        bgr_to_rgb=True,
        size_divisor=1,  # crops have one size
        seg_pad_val=255,
    ),
    backbone=dict(output_stride=8),  # sec. 6.2 [code] dilated=True; the card fills the rest
    decode_head=dict(
        type="FCNHead",
        in_index=3,  # stage 4
        channels=512,  # [code] 2048 // 4
        num_convs=1,  # [code] one 3x3 (no bias), BN, ReLU, dropout, 1x1
        concat_input=False,  # [code]
        dropout_ratio=0.1,  # [code], which drops single values
        norm_cfg=dict(type="BN", requires_grad=True),
        num_classes=150,  # SceneParse150
        align_corners=True,  # MXNet BilinearResize2D
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=1.0, avg_non_ignore=True),  # mean over labelled pixels
    ),
    auxiliary_head=dict(
        type="FCNHead",
        in_index=2,  # [code] --aux: stage 3
        channels=256,  # [code] 1024 // 4
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        norm_cfg=dict(type="BN", requires_grad=True),
        align_corners=True,
        loss_decode=dict(type="CrossEntropyLoss", loss_weight=0.5, avg_non_ignore=True),  # [code] --aux-weight
    ),
    test_cfg=dict(scales=(1.0,), flip=False),  # whole images
)

train_dataloader = dict(
    batch_size=16,  # [code] the global batch, on 4 GPUs
    num_workers=8,
    persistent_workers=True,
    drop_last=True,  # 20,210 images: 1,263 steps per epoch, 151,560 in all
    sampler=dict(type="trick_transfer.DrawSampler", shuffle=True),
    dataset=dict(
        type="trick_transfer.Seeded",
        dataset=dict(
            type="segmentation.ADE20K",
            skip_broken=False,
            data_root="data/ade20k",
            data_prefix=dict(
                img_path="ADEChallengeData2016/images/training",
                seg_map_path="ADEChallengeData2016/annotations/training",
            ),
            pipeline=[
                dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),  # the mask is not rotated either
                dict(type="segmentation.LoadMask"),
                dict(type="RandomFlip", prob=0.5),  # [code]
                # [code] short side a random integer in [0.5, 2] x 520 px; the long side is not limited
                dict(type="RandomResize", scale=[(100_000, 260), (100_000, 1040)], keep_ratio=True),
                dict(type="Pad", size=(480, 480), pad_val=dict(img=0, seg=255)),  # [code] black, before normalisation
                dict(type="RandomCrop", crop_size=(480, 480)),  # [code]
                dict(type="segmentation.RandomBlur", prob=0.5, max_sigma_px=1.0),  # [code]
                dict(type="PackSegInputs"),
            ],
        ),
    ),
)
# ADE20K's test labels are not public: the validation set is the test.
val_dataloader = dict(
    batch_size=1,  # images differ in size
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="segmentation.ADE20K",
        skip_broken=False,
        data_root="data/ade20k",
        data_prefix=dict(
            img_path="ADEChallengeData2016/images/validation",
            seg_map_path="ADEChallengeData2016/annotations/validation",
        ),
        test_mode=True,
        pipeline=[
            dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),
            # training's base size ([code] scores with a long side of 520); the limit of 4 : 1 is mmseg's
            dict(type="Resize", scale=(2080, 520), keep_ratio=True),
            dict(type="segmentation.LoadMask"),  # after the resize: scored at the original size
            dict(type="PackSegInputs"),
        ],
    ),
)
val_evaluator = dict(type="segmentation.SegmentationScores")

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4),  # [code] --lr 0.01; decay on all parameters
    paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10), auxiliary_head=dict(lr_mult=10))),  # [code]
)
# [code] lr (1 - step / steps)^0.9, every step, down to 0, which mmengine's reaches at the last step
param_scheduler = [
    dict(type="PolyLR", power=0.9, eta_min=0.0, begin=0, end=120, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(
    type="EpochBasedTrainLoop", max_epochs=120, val_begin=121
)  # [code] --epochs 120; scored once, at the end
val_cfg = dict(type="ValLoop")
