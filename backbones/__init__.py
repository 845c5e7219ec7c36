"""Backbones: our own ResNets, one contract for all, and the card that carries trained weights to other tasks."""
