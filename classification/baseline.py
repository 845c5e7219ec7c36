"""The baseline of sec. 2.1 in full, without tricks: every recipe starts from it. Data only, no logic.

Slots that a trick owns are marked; `classification.config` turns `global_batch` and `schedule` into what the Runner
takes once the number of images and devices is known.
"""

default_scope = "mmengine"
version = 2  # of the scoring: raise it when the same values give other scores; tests/test_golden.py detects that

# "total batch size of 256 ... learning rate is initialized to 0.1" [large_batch]
global_batch = 256
max_epochs = 120
# "divided by 10 at the 30th, 60th, and 90th epochs" [schedule]
schedule = dict(warmup_epochs=0, decay="step", milestones=(30, 60, 90))

optim_wrapper = dict(
    type="OptimWrapper",  # fp32 [amp]
    # NAG; weight decay 1e-4 is not in the text, but in every command of its authors (GluonCV train_imagenet.py)
    optimizer=dict(type="SGD", lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=None,  # every parameter decays [no_bias_decay]
)

model = dict(
    type="classification.ImageClassifier",
    backbone=dict(type="backbones.ResNet", depth=50, tweak="", zero_gamma=False),  # [zero_gamma]
    num_classes=1000,
    smoothing=None,  # [label_smoothing]
    mix=None,  # [mixup]
    teacher=None,  # [distillation]
    data_preprocessor=dict(
        type="classification.PixelScaler",
        pca_std=0.1,  # step 5: "a coefficient sampled from a normal distribution N(0, 0.1)"
        mean=(123.68, 116.779, 103.939),  # step 6
        std=(58.393, 57.12, 57.375),
    ),
)

# ILSVRC2012: 1,281,167 training and 50,000 validation images in class folders
data = dict(name="imagenet1k", root="data/imagenet1k", num_train=1281167, num_val=50000)

train_dataloader = dict(
    dataset=dict(
        type="trick_transfer.Seeded",
        dataset=dict(
            type="classification.ImageFolder",
            split="train",
            # steps 2 to 4
            crop=dict(type="random", size_px=224, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3)),
            flip=0.5,
            jitter=dict(form="hsv", low=0.6, high=1.4),
            skip_broken=False,  # a file that cannot be decoded ends the run; True reports it and continues
        ),
    ),
    sampler=dict(type="trick_transfer.DrawSampler", shuffle=True),
    drop_last=True,
    collate_fn=dict(type="default_collate"),
    num_workers=8,
)
val_dataloader = dict(
    dataset=dict(
        type="classification.ImageFolder",
        split="val",
        crop=dict(
            type="center", size_px=224, shorter_px=256
        ),  # "shorter edge to 256 ... crop out the 224-by-224 region"
        skip_broken=False,
    ),
    sampler=dict(type="DefaultSampler", shuffle=False),
    batch_size=256,
    collate_fn=dict(type="default_collate"),
    num_workers=8,
)
val_evaluator = dict(type="classification.TopK", k=(1, 5))
