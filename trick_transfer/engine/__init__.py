"""What the runs of all three stages share: seeding, precision, checkpoints, progress, batch and receipt."""
