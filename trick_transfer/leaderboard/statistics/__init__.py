"""Intervals, comparisons of rows, rank correlations and variance components."""
