"""+ cosine decay: 72.83 % top-1, 91.00 % top-5 in the paper (Table 6)."""

_base_ = "mobilenet_baseline.py"

tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="cosine"),
)
