"""Linear probe: logistic regression on the features of the frozen backbone, as in CLIP (Radford et al. 2021, A.3).

The features are the last map averaged over the image, of each training and each scored image once, without
augmentation, in evaluation mode and fp32. As in CLIP the classifier is trained by L-BFGS, and the weight of its L2
penalty is chosen on a part of the training images, which then come back. Departures: (1) features are standardised, as
in MAE (He et al. 2022, A.1), so six weights, a factor of 10 apart, take the place of 96; (2) that part is a fifth, by
the hash of each image's name; (3) at most 300 iterations, not 1,000.
No step of a Runner's optimiser is taken; `train_dataloader` names the images that the probe is trained on.
"""

default_scope = "mmengine"
version = 1  # raise it when the same values give other scores; tests/test_golden.py detects that

model = dict(
    type="probing.Features",
    backbone=dict(),  # the card fills it
    data_preprocessor=dict(
        type="ImgDataPreprocessor",
        mean=[123.68, 116.779, 103.939],  # Bag of Tricks, sec. 2.1, step 6, as the backbones were trained
        std=[58.393, 57.12, 57.375],
        bgr_to_rgb=False,  # images are RGB
    ),
)

# class folders; images are cropped as in classification's validation, those to train on, too
data = dict(
    data_root="data/imagenet1k",
    num_classes=1000,
    crop=dict(type="center", size_px=224, shorter_px=256),
)
train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    sampler=dict(type="trick_transfer.DrawSampler", shuffle=False),
    dataset=dict(
        type="trick_transfer.Seeded",
        dataset=dict(type="classification.ImageFolder", split="train", skip_broken=False),
    ),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=8,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
    dataset=dict(type="classification.ImageFolder", split="val", skip_broken=False),
)
val_evaluator = dict(
    type="probing.LinearProbe",
    l2=(1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5),  # of the mean cross entropy; scikit-learn's C is 1 / (l2 x images)
    held_out_percent=20,
    iterations=300,
)

train_cfg = dict(by_epoch=True, max_epochs=0)
val_cfg = dict(type="ValLoop")
optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.0))
