"""+ cosine decay: 78.19 % top-1, 94.06 % top-5 in the paper (Table 6)."""

_base_ = "inception_v3_baseline.py"

tricks = dict(
    large_batch=dict(),
    amp=dict(),
    no_bias_decay=dict(),
    schedule=dict(warmup_epochs=5, decay="cosine"),
)
