#!/usr/bin/env bash
# Narrates the examples through a private broker, a real worker and ./out, and shows what came of it.
set -euo pipefail
cd "$(dirname "$0")"
store="$(dirname "$PWD")/out/demo"
for text in kumo_no_ito.txt dialogue.dialogue; do
  echo "── koebin narrate examples/$text"
  koebin narrate "$text" --store "$store" --format mp3 --subtitles srt --player
done
