"""`fcn_ade20k` as the authors' code trains and scores it, where the default for the paper departs from it.

[code] is GluonCV at b30cdf3a (scripts/segmentation, model_zoo/{fcn,segbase}.py, loss.py), on MXNet c9a9db6: the code
of the zoo's 79.0 pixAcc and 39.5 mIoU, with a ResNet-50 of another stem (v1s). What made Table 9 is unknown.

The loss is SoftmaxOutput, whose backward ignores the factor it is given: the auxiliary head acts with weight 1, each of
four GPUs has the mean over its own four images' pixels, and the sum of the four is divided by all 16 images. A quarter
of the gradient at rate 0.01 is the whole one at 0.0025, where decay has to be 4e-4 to act as before. This is read from
the sources, not measured.
"""

_base_ = "fcn_ade20k.py"

_start = dict(type="Uniform", layer="Conv2d", a=-0.07, b=0.07)  # [code] MXNet's default, Uniform(0.07); biases are 0

model = dict(
    type="segmentation.AuthorsFCN",  # [code] dropout of single values, and MultiEvalModel
    decode_head=dict(init_cfg=_start),
    auxiliary_head=dict(init_cfg=_start, loss_decode=dict(loss_weight=1.0)),  # [code] SoftmaxOutput
    test_cfg=dict(
        _delete_=True,
        scales=(0.5, 0.75, 1.0, 1.25, 1.5, 1.75),  # [code] each mirrored, too
        long_px=520,  # [code] base_size
        crop_px=480,  # [code] sliding by 2/3 of it
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[  # the image as it is: each scale is resized from it
            dict(type="LoadImageFromFile", color_type="color_ignore_orientation"),
            dict(type="segmentation.LoadMask"),
            dict(type="PackSegInputs"),
        ],
    ),
)
optim_wrapper = dict(optimizer=dict(lr=0.0025, weight_decay=4e-4))  # [code] SoftmaxOutput; the heads' 10 times stay
