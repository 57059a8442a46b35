#!/usr/bin/env bash
# What the image is for, without an engine for containers: bake into a fresh prefix, then run a worker from it as an
# unprivileged user, in a network namespace with loopback alone, on a read-only tree, with no credentials in its
# environment; it has to speak, and nothing may try to leave.
#   usage: docker/rehearse.sh path/to/python [speakers [path/to/the/runtime's/python]]
# The interpreter's environment must hold Koebin with the runtime's packages; the runtime's own may be pruned. Needs root for
# the namespaces (exit code 77 without it); with strace installed it also says who tried to leave.
set -euo pipefail
python=$(realpath -s "${1:?path to python}")
speakers=${2:-mei}
runtime=$(realpath -s "${3:-$python}")
repository=$(cd "$(dirname "$0")/.." && pwd)
[ "$(id -u)" = 0 ] || { echo "rehearse: needs root for the namespaces" >&2; exit 77; }
for tool in unshare setpriv; do
  command -v "$tool" > /dev/null || { echo "rehearse: $tool is not installed" >&2; exit 77; }
done

prefix=$(mktemp -d /tmp/koebin-rehearsal.XXXXXX)
trap 'rm -rf "$prefix"' EXIT
chmod 755 "$prefix"
mkdir -m 1777 "$prefix/tmp"

echo "== bake $speakers into $prefix/models"
secret="planted-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
printf '%s\n' "$secret" > "$prefix/token"
(cd "$repository" && env -i PATH=/usr/bin:/bin HOME="$prefix/tmp" KOEBIN_CACHE="$prefix/downloads" \
  ${KOEBIN_BERT:+KOEBIN_BERT="$KOEBIN_BERT"} "$python" -P -m koebin bake "$prefix/models" --speakers "$speakers" --token-file "$prefix/token")
rm -rf "$prefix/token" "$prefix/downloads"
! grep -rqF "$secret" "$prefix" || { echo "rehearse: the planted secret is still there" >&2; exit 1; }

echo "== run without a network, without rights, on a read-only tree"
cat > "$prefix/inside.sh" <<'INSIDE'
set -euo pipefail
"$PYTHON" -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))'  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
trace=()
! command -v strace > /dev/null || trace=(strace -f -qq -e trace=connect,sendto,sendmsg,sendmmsg -o "$PREFIX/tmp/trace")
mount --bind "$PREFIX/models" "$PREFIX/models"
mount -o remount,ro,bind "$PREFIX/models"
mount --bind "$REPOSITORY" "$REPOSITORY"
mount -o remount,ro,bind "$REPOSITORY"
# An interpreter below a private folder (/root/…) is shown alone, without what else lies there.
if ! setpriv --reuid 10001 --regid 10001 --clear-groups test -x "$BASE/bin"; then
  blocking=$BASE
  until setpriv --reuid 10001 --regid 10001 --clear-groups test -x "$(dirname "$blocking")"; do
    blocking=$(dirname "$blocking")
  done
  mkdir "$PREFIX/base"
  mount --bind "$BASE" "$PREFIX/base"
  mount -t tmpfs -o mode=755 tmpfs "$blocking"
  mkdir -p "$BASE"
  mount --bind "$PREFIX/base" "$BASE"
fi
cd "$REPOSITORY"
setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all \
  env -i PATH=/usr/bin:/bin HOME="$PREFIX/tmp" TMPDIR="$PREFIX/tmp" PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 \
  KOEBIN_CACHE="$PREFIX/models" KOEBIN_OFFLINE=true KOEBIN_VOICES="$PREFIX/models/voices.toml" KOEBIN_SPEAKERS="$SPEAKERS" \
  KOEBIN_RUN_DIR="$PREFIX/tmp/run" \
  "${trace[@]}" "$PYTHON" - "$PREFIX" <<'PYTHON'
"""The worker's engine as a worker builds it, and what must not work."""
import os, socket, sys
from pathlib import Path

from koebin.engine.bake import check_baked
from koebin.engine.errors import KoebinError
from koebin.worker.child.load_voices import load_voices
from koebin.tasks.settings import load_settings

prefix = Path(sys.argv[1])
assert os.getuid() == 10001, os.getuid()
leaked = [name for name in os.environ if "TOKEN" in name or "SECRET" in name or name.startswith("AWS_")]
assert not leaked, leaked
for folder in (prefix / "models", Path.cwd()):
    try:
        (folder / "written").touch()
    except OSError:
        continue
    sys.exit(f"{folder} can be written")
check_baked(prefix / "models")
settings = load_settings()
with load_voices(settings, settings.device) as tts:
    for name, speaker in tts.speakers.items():
        audio = speaker.generate("網のない所でも、声は出ます。")
        print(f"{name}: {audio.duration_seconds:.2f} s at {audio.sample_rate_hz} Hz")
        assert audio.samples.any()
try:
    load_voices(load_settings(speakers="nobody"), settings.device)
except KoebinError as refused:
    assert "nobody" in str(refused), refused
    print(f"refused: {refused}")
else:
    sys.exit("a speaker that was not baked was served")
PYTHON
# The kernel counts what found no route out of the namespace.
awk '/^Ip: [0-9]/ { print $13 }' /proc/net/snmp > "$PREFIX/tmp/unroutable"
grep Ip6OutNoRoutes /proc/net/snmp6 | awk '{ print $2 }' >> "$PREFIX/tmp/unroutable"
INSIDE
base=$("$runtime" -c 'import sys; print(sys.base_prefix)')
BASE=$base PREFIX=$prefix REPOSITORY=$repository PYTHON=$runtime SPEAKERS=$(sed "s/=[^,]*//g" <<< "$speakers") unshare --net --mount bash "$prefix/inside.sh"

echo "== attempts to leave"
if [ -f "$prefix/tmp/trace" ]; then
  grep -E 'sa_family=AF_INET6?,' "$prefix/tmp/trace" | grep -vE '127\.0\.0\.1|"::1"' && exit 1
fi
[ "$(paste -sd+ "$prefix/tmp/unroutable" | sed 's/^$/1/')" = "0+0" ] || { cat "$prefix/tmp/unroutable"; exit 1; }
echo "none"
