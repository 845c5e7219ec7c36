"""Backbones: ResNets, an adapter to timm, their interface, and the card that carries trained weights to other tasks."""
