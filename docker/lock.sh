#!/usr/bin/env bash
# The lock file of the CUDA image: the CPU runtime's versions, and torch as the tests use it. It names no package index.
#   usage: docker/lock.sh path/to/uv
set -euo pipefail
uv=$(realpath "${1:-$(command -v uv)}")
cd "$(dirname "$0")"
echo "torch==2.13.0" | "$uv" pip compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
  --no-annotate --python-version 3.11 --python-platform x86_64-manylinux_2_28 --constraint ../requirements/runtime.txt \
  --extra engine --extra s3 --extra hf --extra m4b --extra briefings --extra metrics --extra http --extra torch ../pyproject.toml - -o cuda.txt
