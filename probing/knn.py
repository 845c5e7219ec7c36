"""Weighted nearest neighbours on the features of `linear_probe`: nothing is trained or chosen.

k = 20 and temperature 0.07 are those of DINO (Caron et al. 2021, "Evaluation protocols"; its eval_knn.py). Wu et al.
2018, sec. 3.4, who vote so, have k = 200.
"""

_base_ = "linear_probe.py"

val_evaluator = dict(_delete_=True, type="probing.NearestNeighbours", neighbours=20, temperature=0.07)
