#!/bin/sh
# All that wants a GPU, in ten minutes: the tests marked `gpu`, the speed of a step and of an epoch, then rows of tier
# `photos` (or another that TIER names, a name or a file) for the time that is left. What is found lands in OUT.
#   tools/gpu_check.sh [OUT]      PYTHON=.venv/bin/python SECONDS_IN_ALL=600 RECIPES="resnet50d_best ..." TIER=mini
# It wants what make setup-dev installs; a machine without a network needs wheels of all that pyproject.toml's
# `dependencies` name, of pytest and pytest-xdist.
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
out=${1:-work/gpu} python=${PYTHON:-.venv/bin/python} end=$(($(date +%s) + ${SECONDS_IN_ALL:-600})) failed=0
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"  # a machine without a network has no set-up of ours
mkdir -p "$out"

# part NAME MOST COMMAND...: the command for at most MOST seconds, or what is left; its output is shown and kept
part() {
    name=$1 left=$((end - $(date +%s))) code=124
    [ "$left" -lt "$2" ] || left=$2
    shift 2
    echo "== $name: at most $left s: $*"
    if [ "$left" -gt 0 ]; then
        timeout --signal INT --kill-after 15 "$left" "$@" >"$out/$name.txt" 2>&1
        code=$?
        cat "$out/$name.txt"
    fi
    case $name:$code in
    *:0) ;;
    row_*:124) echo "== $name: the time is over; the same command resumes" ;;
    *) echo "== $name: failed with exit code $code (124: no time left)" && failed=1 ;;
    esac
}

part card 10 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
part machine 60 "$python" tools/doctor.py
tests=$(grep -lE 'mark\.gpu|^def test_\w+\(.*\bdevice\b' tests/test_*.py)  # others may want packages that are not there
part tests 240 "$python" -m pytest $tests -m gpu -n 4 --dist worksteal --durations=0
part speed 200 "$python" tools/bench.py gpu --batch 128 --repeats 30 --precision "${PRECISION:-fp16}" --record
part epoch 120 "$python" tools/bench.py epoch --batch 128 --workers 8 --repeats 1 --record
cp docs/benchmarks/gpu_*.json docs/benchmarks/epoch_*.json "$out" 2>/dev/null
for recipe in ${RECIPES:-resnet50d_best}; do
    part "row_$recipe" 600 "$python" tools/pipeline.py "$recipe" --tier "${TIER:-photos}" --tracker none --work-dir "$out/work"
done
exit "$failed"
