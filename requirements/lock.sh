#!/usr/bin/env bash
# Lock files with hashes for Python 3.11 to 3.13. They name no package index, and torch is not in them.
#   usage: requirements/lock.sh path/to/uv
set -euo pipefail
uv=$(realpath "${1:-$(command -v uv)}")
cd "$(dirname "$0")"
common=(pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11)
runtime=(--extra engine --extra embedded --extra s3 --extra hf --extra m4b --extra briefings --extra metrics --extra http --extra documents)
"$uv" "${common[@]}" "${runtime[@]}" ../pyproject.toml -o runtime.txt
"$uv" "${common[@]}" "${runtime[@]}" --extra traces --extra dev --constraint runtime.txt ../pyproject.toml -o dev.txt
"$uv" "${common[@]}" --group ../pyproject.toml:docs --constraint dev.txt -o docs.txt
