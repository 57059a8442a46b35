#!/usr/bin/env bash
# Build wheel and sdist into dist/, and try them in empty environments: producers alone, then with an engine.
#   usage: requirements/package.sh path/to/python
set -euo pipefail
python=$(realpath -s "${1:?path to python}")
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1

echo "== build"
"$python" -m venv "$scratch/build"
"$scratch/build/bin/pip" install build twine 'cyclonedx-bom>=7,<8'
rm -rf dist
"$scratch/build/bin/python" -m build --outdir dist . > "$scratch/log" 2>&1 || { tail -n 20 "$scratch/log"; exit 1; }
"$scratch/build/bin/twine" check --strict dist/*
wheel=$(realpath dist/*.whl)

echo "== what is in it (CycloneDX)"
"$scratch/build/bin/cyclonedx-py" requirements requirements/runtime.txt --pyproject pyproject.toml --mc-type library \
    --of JSON --output-reproducible --output-file dist/koebin.cdx.json
"$scratch/build/bin/python" requirements/check_sbom.py dist/koebin.cdx.json requirements/runtime.txt

echo "== producers alone"
"$python" -m venv "$scratch/producer"
before=$(du -sm "$scratch/producer" | cut -f1)
"$scratch/producer/bin/pip" install "$wheel"
cd "$scratch"
"$scratch/producer/bin/koebin" --version
"$scratch/producer/bin/python" - <<'PYTHON'
import importlib.util
from koebin import Client
heavy = [name for name in ("numpy", "onnxruntime", "pyopenjtalk", "torch", "boto3", "av") if importlib.util.find_spec(name)]
assert not heavy, heavy
PYTHON
size=$(($(du -sm "$scratch/producer" | cut -f1) - before))
echo "$size MB"
[ "$size" -lt 100 ] || { echo "package: producers must stay small" >&2; exit 1; }
if "$scratch/producer/bin/koebin" say こんにちは。 -o hello.wav 2> "$scratch/refused"; then exit 1; fi
grep -q 'koebin\[engine\]' "$scratch/refused" || { cat "$scratch/refused"; exit 1; }

echo "== with an engine, a broker and metrics"
"$python" -m venv "$scratch/whole"
"$scratch/whole/bin/pip" install "$wheel[engine,embedded,metrics]"
"$scratch/whole/bin/pip" check
"$scratch/whole/bin/koebin" say こんにちは。 -o "$scratch/hello.wav"
[ "$(head -c 4 "$scratch/hello.wav")" = RIFF ]
printf '吾輩は猫である。\n名前はまだ無い。\n' > book.txt
"$scratch/whole/bin/koebin" narrate book.txt --store "$scratch/out"

echo "== every extra can be resolved"
for extra in hf m4b s3 briefings http documents traces torch cuda; do
  "$scratch/whole/bin/pip" install --dry-run "$wheel[$extra]"
  echo "$extra"
done
