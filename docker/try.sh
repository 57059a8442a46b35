#!/usr/bin/env bash
# The real thing, where there is an engine for containers: build the CPU image with a secret, look for the secret in
# everything that is left, hold what the image says of the golden texts against them, start compose.yaml with three workers,
# narrate from this machine, ask Prometheus and Flower, stop.
# Exit code 77 where there is no engine.
#   usage: docker/try.sh [arguments of docker build, such as --build-arg BASE_IMAGE=… --network host]
# KOEBIN is the command that narrates (with the extra s3 installed); without one, a container does.
# REDIS_IMAGE, S3_IMAGE, FLOWER_IMAGE, PROMETHEUS_IMAGE and the build argument BASE_IMAGE let it run where no registry can be reached.
# IMAGE_ONLY=1 stops once the image has spoken, before compose.yaml. With DOCKER_DEFAULT_PLATFORM=linux/arm64 that shows the
# image for ARM on another processor, if the kernel hands its programs to qemu-user 10 or newer (binfmt_misc, flag F):
# 7.2 shows them this machine's /proc/cpuinfo, and ONNX Runtime crashes.
set -euo pipefail
cd "$(dirname "$0")/.."
docker info > /dev/null 2>&1 || { echo "try: no engine for containers answers" >&2; exit 77; }
compose=(docker compose)
docker compose version > /dev/null 2>&1 || compose=(docker-compose)
export COMPOSE_PROJECT_NAME=koebin-try DOCKER_BUILDKIT=1 KOEBIN_IMAGE=koebin:try KOEBIN_SPEAKERS=mei
export COMPOSE_PROFILES=monitoring
services=(redis s3 bucket worker assembler beat flower backlog prometheus)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "== build"
secret="planted-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
printf '%s\n' "$secret" > "$scratch/token"
docker build -f docker/cpu.Dockerfile -t "$KOEBIN_IMAGE" --build-arg SPEAKERS=mei --build-arg BAKE_AGAIN="$(date +%s)" \
  --secret id=hf_token,src="$scratch/token" "$@" . > "$scratch/build" 2>&1 || { tail -n 30 "$scratch/build"; exit 1; }
docker image inspect "$KOEBIN_IMAGE" --format '{{.Os}}/{{.Architecture}}, {{.Size}} bytes'

echo "== the planted secret"
mkdir "$scratch/image"
docker save "$KOEBIN_IMAGE" | tar -x -C "$scratch/image"
find "$scratch/image" -type f | while read -r file; do
  case $(head -c 2 "$file" | od -An -tx1) in
    *1f\ 8b*) gzip -dc "$file" ;;
    *) cat "$file" ;;
  esac
done | grep -acF "$secret" > "$scratch/found" || true
[ "$(cat "$scratch/found")" = 0 ] || { echo "try: it is in the image" >&2; exit 1; }
rm -rf "$scratch/image"
echo "in no layer, no configuration, no history"

echo "== golden texts"
docker run --rm --network none --read-only --tmpfs /tmp --volume "$PWD/tests/golden/text.jsonl:/text.jsonl:ro" \
  --entrypoint python3 "$KOEBIN_IMAGE" -c '
import json
from pathlib import Path
from koebin.engine.text.analysis import Analysis, Node
from koebin.engine.text.prosody import phonemes
cases = [json.loads(line) for line in Path("/text.jsonl").read_text("utf-8").splitlines()]
for case in cases:
    nodes = tuple(Node(node["string"], node["pron"], node["pos"]) for node in case["nodes"])
    said = phonemes(Analysis(case["text"], case["norm"], nodes, lambda: case["labels"]))
    found = [list(said.phones), list(said.tones), list(said.word2ph), said.bert_text]
    assert found == [case[name] for name in ("phones", "tones", "word2ph", "surfaces")], case["text"]
print(f"{len(cases)} texts become phones and tones exactly")'

echo "== speech"
docker run --rm --network none --read-only --tmpfs /tmp "$KOEBIN_IMAGE" say "こんにちは。" -o /tmp/hello.wav
[ -z "${IMAGE_ONLY:-}" ] || { echo "ok"; exit; }

echo "== up"
trap '"${compose[@]}" down --volumes --timeout 5 > "$scratch/down" 2>&1; rm -rf "$scratch"' EXIT
"${compose[@]}" up --detach --no-build --scale worker=3 "${services[@]}" > "$scratch/up" 2>&1 || { cat "$scratch/up"; exit 1; }
children() { "${compose[@]}" exec -T assembler koebin backlog --json 2> /dev/null | tr -d ' \n' | grep -o '"children":3' || true; }
for _ in $(seq 90); do
  [ -z "$(children)" ] || break
  sleep 2
done
[ -n "$(children)" ] || { echo "try: three workers did not get ready" >&2; "${compose[@]}" logs --tail 20; exit 1; }
echo "three workers are ready"

echo "== narrate"
printf '%s\n' "吾輩は猫である。" "名前はまだ無い。" > "$scratch/book.txt"
if [ -n "${KOEBIN:-}" ]; then
  (
    unset KOEBIN_IMAGE KOEBIN_SPEAKERS # compose's own
    export KOEBIN_BROKER_URL=redis://localhost:6379/0 KOEBIN_STORE=s3://koebin/audio
    export KOEBIN_S3_ENDPOINT_URL=http://localhost:8333 KOEBIN_S3_ACCESS_KEY_ID=koebin
    export KOEBIN_S3_SECRET_ACCESS_KEY=change-me-too
    "$KOEBIN" narrate "$scratch/book.txt" --format mp3
  )
else
  "${compose[@]}" exec -T assembler sh -c 'cat > /tmp/book.txt; koebin narrate /tmp/book.txt --format mp3' < "$scratch/book.txt"
fi

echo "== metrics"
"${compose[@]}" exec -T assembler python3 -c '
import socket, urllib.request
addresses = sorted({entry[4][0] for entry in socket.getaddrinfo("worker", 9809, socket.AF_INET)})
pages = [urllib.request.urlopen(f"http://{address}:9809/metrics", timeout=10).read().decode() for address in addresses]
spoken = sum(float(line.split()[1]) for page in pages for line in page.splitlines() if line.startswith("koebin_audio_seconds_total{"))
print(f"{len(pages)} workers say that they made {spoken:.1f} s of audio")
assert len(pages) == 3 and spoken > 0'

echo "== Prometheus and Flower"
"${compose[@]}" exec -T assembler python3 -c '
import json, time, urllib.parse, urllib.request
def answers(query):
    address = "http://prometheus:9090/api/v1/query?" + urllib.parse.urlencode({"query": query})
    result = json.load(urllib.request.urlopen(address, timeout=10))["data"]["result"]
    return {one["metric"].get("job", ""): float(one["value"][1]) for one in result}
expected = {
    "count by (job) (up == 1)": {"koebin-backlog": 1, "koebin-workers": 4, "flower": 1},
    "sum(flower_worker_online)": {"": 4},
    "count(koebin_audio_seconds_total > 0) > bool 0": {"": 1},
}
for _ in range(60):  # a scrape comes every 15 s
    try:
        found = {query: answers(query) for query in expected}
    except OSError as starting:
        found = starting
    if found == expected:
        break
    time.sleep(2)
assert found == expected, found
print("all targets are up; Flower sees four workers")'

echo "== stop"
"${compose[@]}" stop --timeout 40 worker > "$scratch/stop" 2>&1
for container in $("${compose[@]}" ps -q worker); do
  code=$(docker inspect "$container" --format '{{.State.ExitCode}}')
  [ "$code" = 0 ] || { echo "try: a worker ended with $code" >&2; exit 1; }
done
echo "ok"
