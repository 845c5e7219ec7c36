#!/bin/sh
# Set up (seconds the second time), then run a recipe from training to its row of the leaderboard:
#   tools/pipeline.sh resnet50d_best            tools/pipeline.sh --help
# From any folder: data/ and work/ are in the one where it is started.
root=$(dirname "$(readlink -f "$0")")/..
make --silent -C "$root" setup && exec "$root/.venv/bin/trick-transfer" pipeline "$@"
