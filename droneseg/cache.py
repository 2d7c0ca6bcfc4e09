"""The cache: files that this machine built for itself, and can build again at any time."""

import hashlib
import logging
import os
import secrets
from pathlib import Path

from platformdirs import user_cache_path

# Hexadecimal digits before the content; 64 keep it aligned.
SEAL_BYTES = 64

logger = logging.getLogger(__name__)


def cache_root() -> Path:
    """The folder $DRONESEG_CACHE, or droneseg/ of the user's cache folder.

    It need not exist, nor be writable.
    """
    named = os.environ.get("DRONESEG_CACHE")
    return Path(named) if named else user_cache_path("droneseg", appauthor=False)


def cache_folder(kind: str) -> Path:
    """Where files of a kind lie."""
    return cache_root() / kind


def load(path: Path) -> memoryview | None:
    """What `store` wrote under this name; None if there is no such file, or it was altered."""
    try:
        sealed = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("the cached %s cannot be read: %s", path, error)
        return None
    content = sealed[SEAL_BYTES:]
    if sealed[:SEAL_BYTES] != _seal(path.name, content):
        logger.warning("the cached %s is not what was written there; it is built again", path)
        return None
    return content


def store(path: Path, content: bytes | memoryview) -> bool:
    """Write a file, whole or not at all; whether that succeeded.

    What it depends on belongs in its name, with which its content is sealed: a file that was
    renamed is not what was asked for either.
    """
    # Not tempfile's, which nobody but its owner may read: an image is built by another user.
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("xb") as file:
                file.write(_seal(path.name, content))
                file.write(content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("%s cannot be cached, and is built again at the next start: %s", path, error)
        return False
    return True


def _seal(name: str, content: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(name.encode() + b"\0")
    digest.update(content)
    return digest.hexdigest().encode()
