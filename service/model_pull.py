"""Models from a DVC remote, for images that have none in them: DRONESEG_DVC_PULL=1.

DVC itself is too large for the serving process, and its store is simple: each file lies under the
MD5 of its content, and so does the list of a folder's files, whose MD5 is in models.dvc.
"""

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

import fsspec

from droneseg.cache import cache_folder
from droneseg.errors import DroneSegError

# As DVC writes it.
FOLDER = re.compile(r"md5: ([0-9a-f]{32})\.dir\b")


class ModelNotPulled(DroneSegError):
    """The model could not be brought from the DVC remote."""

    status = 503
    code = "model_not_pulled"


def pull_model(name: str, models_dvc: Path, remote: str, timeout_s: float) -> Path:
    """Bring a model from a DVC remote into the cache, unless it is there.

    Args:
        name: of the folder below models/.
        models_dvc: the file by which git pins the version.
        remote: a folder or gs://bucket/folder, as in DVC's configuration.
        timeout_s: for all of it.

    Returns:
        The model's folder, complete; whoever loads it checks its own hashes, too.

    Raises:
        ModelNotPulled: it did not come in time, is not there, or is not what models.dvc names.
    """
    found = FOLDER.search(models_dvc.read_text()) if models_dvc.is_file() else None
    if not found:
        raise ModelNotPulled(f"{models_dvc} does not name a folder; `dvc add models` writes it")
    version = found[1]
    target = cache_folder("models") / version / name
    if not target.is_dir():
        _within(timeout_s, lambda: _pull(name, version, remote, target), remote)
    return target


def _pull(name: str, version: str, remote: str, target: Path) -> None:
    fs, root = fsspec.core.url_to_fs(remote)

    def content(md5: str, suffix: str = "") -> bytes:
        data: bytes = fs.cat_file(f"{root}/files/md5/{md5[:2]}/{md5[2:]}{suffix}")
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            raise ModelNotPulled(f"{md5}{suffix} in {remote} is not what its name says")
        return data

    entries = {entry["relpath"]: entry["md5"] for entry in json.loads(content(version, ".dir"))}
    wanted = {path: md5 for path, md5 in entries.items() if path.startswith(f"{name}/")}
    if not wanted or any(".." in path for path in wanted):
        raise ModelNotPulled(f"models.dvc has no model {name}, but {', '.join(entries)}")
    draft = target.parent / f".{name}-{secrets.token_hex(4)}"
    try:
        for path, md5 in wanted.items():
            file = draft / Path(path).relative_to(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content(md5))
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _within(timeout_s: float, work: Callable[[], None], remote: str) -> None:
    """Work in a thread that may hang for ever."""
    results: Queue[Exception | None] = Queue()

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever fsspec and its file systems raise
            results.put(error)
        else:
            results.put(None)

    Thread(target=run, daemon=True).start()
    try:
        error = results.get(timeout=timeout_s)
    except Empty:
        raise ModelNotPulled(f"{remote} did not give the model within {timeout_s:g} s") from None
    if isinstance(error, DroneSegError):
        raise error
    if error:
        raise ModelNotPulled(f"the model cannot be pulled from {remote}: {error!r}") from error
