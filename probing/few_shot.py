"""Few-shot: a linear classifier on the features of 1, 5 and 10 images of each class, over ten draws.

As in Tian et al. 2020, "Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?": logistic
regression with C = 1 on features of length 1, here of all classes and all scored images, not of episodes of five.
The score is the mean over the draws, which are the same for every backbone; their standard deviation is beside it.
"""

_base_ = "linear_probe.py"

val_evaluator = dict(
    _delete_=True,
    type="probing.FewShot",
    shots=(1, 5, 10),
    draws=10,
    inverse_l2=1.0,
    iterations=1000,
)
