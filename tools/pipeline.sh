#!/bin/sh
# Set up (seconds the second time), then run a recipe from training to its row of the leaderboard:
#   tools/pipeline.sh resnet50d_best            tools/pipeline.sh --help
# It runs in the repository's folder: relative paths among its options start there.
cd "$(dirname "$0")/.." && make --silent setup && exec .venv/bin/python tools/pipeline.py "$@"
