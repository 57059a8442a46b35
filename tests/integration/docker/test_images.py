"""The CPU image and compose.yaml for real, where there is an engine for containers."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "docker/try.sh"


def engine_answers() -> bool:
    return bool(shutil.which("docker")) and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not engine_answers(), reason="no engine for containers answers to `docker info`")
def test_the_image_is_built_and_three_workers_of_it_narrate() -> None:
    """``DOCKER_BUILD_ARGUMENTS`` holds what ``docker build`` needs here: a base image, a mirror, a certificate."""
    arguments = shlex.split(os.environ.get("DOCKER_BUILD_ARGUMENTS", ""))
    done = subprocess.run(["bash", str(SCRIPT), *arguments], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "in no layer, no configuration, no history" in done.stdout
    assert "107 texts become phones and tones exactly" in done.stdout
    assert "== speech\n/tmp/hello.wav\n" in done.stdout
    assert "3 workers say that they made" in done.stdout
    assert "all targets are up; Flower sees four workers" in done.stdout
    assert done.stdout.endswith("== stop\nok\n")
