"""+ mixup without distillation: 73.28 % top-1, 91.30 % top-5 in the paper (Table 6)."""

_base_ = "mobilenet_baseline.py"

max_epochs = 200  # sec. 5.5: "increase the number of epochs from 120 to 200"
tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="cosine"),
    label_smoothing=dict(eps=0.1),
    mixup=dict(alpha=0.2),
)
