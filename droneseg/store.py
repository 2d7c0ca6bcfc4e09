"""Store: a folder of files, on this machine or in a bucket, through fsspec."""

import os
from typing import Any

import fsspec

# By default gcsfs asks of every bucket what kind it is, for which it wants further permissions.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


class Store:
    """Files below a URL: a local folder, `gs://bucket/folder`, or any other that fsspec knows."""

    def __init__(self, url: str):
        """Nothing is looked at or made yet.

        Args:
            url: a path or a URL.

        Raises:
            ImportError, ValueError: fsspec has no way to such a URL, or not installed.
        """
        fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False, auto_mkdir=True)
        self._fs: Any = fs
        self._root: str = root.rstrip("/")

    def address(self, name: str) -> str:
        """Where a file lies, for people: a path, or a URL."""
        path = f"{self._root}/{name}"
        return path if "file" in self._fs.protocol else str(self._fs.unstrip_protocol(path))

    def write(self, name: str, data: bytes, timeout_s: float | None = None) -> None:
        """Write a file, or write it again: readers see all of it or nothing.

        Args:
            name: below the URL.
            data: all of it.
            timeout_s: of a bucket.

        Raises:
            Exception: any that fsspec's file systems have; the file may have been written or not.
        """
        # A local file gets its name when it is complete, as an object in a bucket does anyway.
        with self._fs.transaction:
            self._fs.pipe_file(f"{self._root}/{name}", data, timeout=timeout_s)

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: there is none.
        """
        data: bytes = self._fs.cat_file(f"{self._root}/{name}")
        return data

    def names(self, folder: str) -> list[str]:
        """The names of all files below a folder, in order; none if there is no such folder."""
        paths = self._fs.find(f"{self._root}/{folder}")
        return sorted(path.removeprefix(f"{self._root}/") for path in paths)
