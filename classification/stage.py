"""Classification as a stage: what the pipeline and the leaderboard know of it."""

import numpy as np

from trick_transfer.engine.stage import Arrays, Metric, Outputs, Stage

ECE_BINS = 15  # Guo et al., "On Calibration of Modern Neural Networks", 2017


class Classification(Stage):
    """Trains the backbone."""

    name = "classification"
    trains_backbone = True
    metrics = (
        Metric("top1", "top-1", required=True, headline=True),
        Metric("top5", "top-5", required=True),
        Metric("ece", "ECE", "lower"),
        # of `mini`: what is said of an animal in another kind's coat
        Metric("follows_shape", "swapped coat: says shape", verifiable=False),
        Metric("follows_coat", "swapped coat: says coat", "lower", verifiable=False),
    )

    def outputs(self, arrays: Arrays) -> Outputs:
        """top1, top5, and the expected calibration error in bins of equal width (confidence from log_sum_exp)."""
        hits = arrays["ranked"] == arrays["labels"][:, None]
        confidence = np.exp(arrays["logits"][:, 0].astype(float) - arrays["log_sum_exp"])
        bins = np.clip(np.ceil(confidence * ECE_BINS) - 1, 0, ECE_BINS - 1)  # (low, high], as in the source
        gaps = (bins == np.arange(ECE_BINS)[:, None]) * (hits[:, 0] - confidence)
        columns = np.vstack([hits[:, 0], hits.any(1), gaps])

        def score(weights: np.ndarray) -> Arrays:
            top1, top5, *gaps = 100 * (columns @ weights) / weights.sum(0)
            return {"top1": top1, "top5": top5, "ece": np.abs(gaps).sum(0)}

        return Outputs(arrays["labels"], score, {})


CLASSIFICATION = Classification()
