"""Check of a software bill of materials: the product, and every locked package with its version and hashes.

usage: check_sbom.py SBOM LOCK
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_PACKAGE = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)")


def locked(text: str) -> set[tuple[str, str]]:
    """Names and versions in a lock file."""
    return {(_plain(found[1]), found[2]) for line in text.splitlines() if (found := _PACKAGE.match(line))}


def problems(sbom: dict[str, object], lock: str) -> list[str]:
    """Differences between a bill in CycloneDX's JSON and a lock file; none if it is complete."""
    metadata, components = sbom.get("metadata"), sbom.get("components")
    if sbom.get("bomFormat") != "CycloneDX" or not isinstance(metadata, dict) or not isinstance(components, list):
        return ["not a bill in CycloneDX's JSON"]
    found = []
    if metadata.get("component", {}).get("name") != "koebin":
        found.append("the product is not koebin")
    listed = {(_plain(each["name"]), each["version"]) for each in components}
    found += [f"{name} {version} is missing" for name, version in sorted(locked(lock) - listed)]
    found += [f"{name} {version} is not locked" for name, version in sorted(listed - locked(lock))]
    return found + [f"{each['name']} has no hash" for each in components if not _hashed(each)]


def _hashed(component: dict[str, object]) -> bool:
    references = component.get("externalReferences") or []
    return isinstance(references, list) and any(reference.get("hashes") for reference in references)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Print every difference; exit code 1 if there is one."""
    sbom, lock = (Path(path).read_text(encoding="utf-8") for path in sys.argv[1:3])
    found = problems(json.loads(sbom), lock)
    for each in found:
        print(f"sbom: {each}", file=sys.stderr)  # noqa: T201 - a command
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
