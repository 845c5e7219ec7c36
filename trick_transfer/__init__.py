"""All that is ours besides backbones and stages: the engine, runs, tiers, leaderboard and data sets."""
