# All that the README's two commands need; docs/containers.md says how to build and start it.
FROM python:3.11-slim-bookworm

# g++ compiles what torch.compile makes; git tells the receipt's commit
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends make git g++ && rm -rf /var/lib/apt/lists/*

# The registry's own torch runs on CUDA and without; from an index of CPU wheels it comes without CUDA's libraries.
ARG TORCH_INDEX=""
COPY . /suite
RUN PIP_EXTRA_INDEX_URL="$TORCH_INDEX" PIP_NO_CACHE_DIR=1 make -C /suite setup-dev PYTHON=python3.11 \
    && python3.11 -m compileall -qq -x '/\.venv/' /suite

# any user may start it: docker run --user; torch.compile asks for a name
ENV PATH="/suite/.venv/bin:$PATH" HOME=/tmp USER=suite
WORKDIR /runs
CMD ["sh", "-c", "/suite/tools/pipeline.sh resnet50d_best && make -C /suite test"]
