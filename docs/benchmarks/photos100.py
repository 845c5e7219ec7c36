"""photos100: 100 classes of Tiny-ImageNet, VOC2007 test's photographs split by us, and CamVid, as data of one's own.

Photographs in `data/photos` that may not be passed on: 30,000 + 5,000 of Tiny-ImageNet (every second class, 300 + 50 of
each); the 4,952 of VOC2007 test at a short side of 176 px, split into 3,025 + 1,927 by a hash of their names; 468 + 233
frames of CamVid (SegNet's eleven classes) at the same size. No score on them compares with a published one: they divide
official test sets.
"""

base = "photos"

classification = dict(
    source=dict(
        folder="../../data/photos/imagenet1k",
        format="folders",
        duplicates="keep",
        licence="research only (ImageNet terms of access)",
    ),
    images=30_000,
    rounded_times={"max_epochs": 1 / 12},  # 120 -> 10 and 200 -> 17 epochs, as many images as `photos` shows
    times={"schedule.warmup_epochs": 1 / 12},
)
detection = dict(
    source=dict(
        folder="../../data/photos/VOCdevkit/VOC2007",
        format="voc",
        first_pixel=1,
        duplicates="keep",
        licence="Flickr's terms of use (PASCAL VOC's database rights)",
    ),
    images=3_025,
    rounded_times={  # 20 -> 4 epochs
        "train_cfg.max_epochs": 1 / 5,
        "param_scheduler.MultiStepLR.milestones": 1 / 5,
    },
)
segmentation = dict(
    source=dict(
        folder="../../data/photos/ADEChallengeData2016",
        format="pairs",
        classes=(
            "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist",
        ),
        first_class=1,
        ignore=0,
        duplicates="keep",  # neighbouring frames of one drive are alike
    ),
    images=468,
    rounded_times={"train_cfg.max_epochs": 1 / 8, "param_scheduler.PolyLR.end": 1 / 8},  # 120 -> 15 epochs
)  # fmt: skip
