"""Hugging Face hub source: voices in a repository."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from glob import escape
from pathlib import Path
from typing import Any, Final

from koebin.engine.errors import BackendMissing, SourceCorrupt
from koebin.engine.sources.base import Listing, RemoteFile, SourceOptions, check_file, check_prefix, is_wanted
from koebin.engine.sources.cache import Shelf
from koebin.engine.sources.cached import CachedSource, endpoint_name
from koebin.engine.sources.versions import describe_upload

HUB: Final = "huggingface.co"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


class HubSource(CachedSource):
    """Tree of voices in a repository, at a branch, a tag or a commit."""

    def __init__(self, repository: str, revision: str, options: SourceOptions) -> None:
        super().__init__(options)
        self._repository = repository
        self._reference = revision or "main"
        self._trees: dict[str, list[tuple[str, int, str]]] = {}
        self._uri = f"hf://{repository}@{revision}" if revision else f"hf://{repository}"
        # A mirror in huggingface_hub's settings serves the hub's repositories; an explicit endpoint is another hub.
        self._endpoint_name = endpoint_name(options.hub_endpoint) if options.hub_endpoint else HUB

    @property
    def uri(self) -> str:
        return self._uri

    def upload(self, prefix: str, local_dir: Path) -> None:
        manifest = describe_upload(local_dir, self.uri, check_prefix(prefix))
        with self._translated(prefix):
            self._api().upload_folder(
                repo_id=self._repository,
                revision=self._reference,
                folder_path=local_dir,
                path_in_repo=prefix or None,
                allow_patterns=[escape(path) for path in manifest.files],
                # Files that the new version lacks are deleted in the same commit.
                delete_patterns="*" if prefix else None,
                commit_message=f"Publish {prefix or local_dir.name}",
                **self._token(),
            )

    def _shelf(self) -> Shelf:
        place = self._options.cache_root / "sources" / "hf" / self._repository.replace("/", "~")
        return Shelf(place / self._endpoint_name, self.uri, self._reference)

    def _foreign(self, prefix: str) -> tuple[Path, str] | None:
        from koebin.engine.sources.hayakoe import find_hub

        if self._endpoint_name != HUB:
            return None
        return find_hub(self._options.cache_root, self._repository, self._reference, prefix)

    def _list(self, prefix: str) -> Listing:
        commit = self._commit(prefix)
        above = f"{prefix}/" if prefix else ""
        files = [
            RemoteFile(path.removeprefix(above), size, digest)
            for path, size, digest in self._tree(commit, prefix)
            if path.startswith(above) and (prefix or "/" not in path)
        ]
        return Listing(commit, tuple(file for file in files if is_wanted(file.path)))

    def _children(self, prefix: str) -> list[str]:
        above = f"{prefix}/" if prefix else ""
        tree = self._tree(self._commit(prefix), prefix)
        names = {path.removeprefix(above).split("/")[0] for path, _, _ in tree if path.startswith(above)}
        return sorted(name for name in names if not name.startswith("."))

    def _commit(self, prefix: str) -> str:
        if _COMMIT.fullmatch(self._reference):
            return self._reference
        with self._translated(prefix):
            info = self._api().repo_info(
                self._repository, revision=self._reference, timeout=self._options.read_timeout, **self._token()
            )
        if not _COMMIT.fullmatch(info.sha or ""):
            raise SourceCorrupt("the hub's response names no commit", self.uri)
        return str(info.sha)

    def _tree(self, commit: str, prefix: str) -> list[tuple[str, int, str]]:
        """Path, size and digest of every file of a commit; a commit never changes, so it is requested once."""
        if commit not in self._trees:
            with self._translated(prefix):
                entries = list(
                    self._api().list_repo_tree(self._repository, recursive=True, revision=commit, **self._token())
                )
            self._trees[commit] = [
                (check_file(entry.path, self.uri), entry.size, _digest(entry))
                for entry in entries
                if getattr(entry, "size", None) is not None
            ]
        return self._trees[commit]

    def _staged(self, prefix: str, staging: Path) -> Path:
        return staging / "hub" / prefix

    def _download(self, prefix: str, listing: Listing, missing: list[RemoteFile], staging: Path) -> None:
        from huggingface_hub import snapshot_download

        above = f"{prefix}/" if prefix else ""
        with self._translated(prefix):
            snapshot_download(
                self._repository,
                revision=listing.revision,
                local_dir=staging / "hub",
                allow_patterns=[escape(above + file.path) for file in missing],
                etag_timeout=self._options.connect_timeout,
                endpoint=self._options.hub_endpoint or None,
                tqdm_class=_silent(),
                **self._token(),
            )

    def _api(self) -> Any:
        try:
            from huggingface_hub import HfApi
        except ModuleNotFoundError:
            raise BackendMissing("huggingface_hub is not installed", "hf", "pip install 'koebin[hf]'") from None
        return HfApi(endpoint=self._options.hub_endpoint or None, library_name="koebin")

    def _token(self) -> dict[str, Any]:
        return {"token": self._options.hub_token} if self._options.hub_token else {}

    def _translated(self, prefix: str) -> AbstractContextManager[None]:
        from koebin.engine.sources.hf_errors import translated

        return translated(f"{self.uri}/{prefix}" if prefix else self.uri)


def _digest(entry: Any) -> str:
    if entry.lfs:
        return f"sha256:{entry.lfs.sha256}"
    return f"git:{entry.blob_id}" if entry.blob_id else ""


def _silent() -> Any:
    """Progress bar that shows nothing: a worker's log is not a terminal."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Silent(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})

    return Silent
