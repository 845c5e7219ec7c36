"""What the runs of all stages share: seeding, precision, checkpoints, progress, batch and receipt."""
