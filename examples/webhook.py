"""Listens for the webhooks of jobs, and takes those alone that are signed with our secret and fresh.

SECRET=… python examples/webhook.py 8080
koebin narrate book.txt --detach --webhook http://this-host:8080/
"""

import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = os.environ["SECRET"].encode()
TOLERANCE_SECONDS = 300.0


def genuine(header: str, body: bytes) -> bool:
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    stamp, signature = parts.get("t", ""), parts.get("v1", "")
    expected = hmac.new(SECRET, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    fresh = stamp.isdigit() and abs(time.time() - int(stamp)) <= TOLERANCE_SECONDS
    return fresh and hmac.compare_digest(expected, signature)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not genuine(self.headers.get("Koebin-Signature", ""), body):
            self.send_error(403)
            return
        ended = json.loads(body)
        print(
            ended["job"], ended["state"], ended["result"]["uri"] if ended.get("result") else ended["error"], flush=True
        )
        self.send_response(204)
        self.end_headers()


HTTPServer(("", int(sys.argv[1])), Receiver).serve_forever()
