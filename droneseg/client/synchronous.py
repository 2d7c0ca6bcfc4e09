"""Client: photos to predictions of a service, for programs without an event loop."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from operator import length_hint
from types import TracebackType
from typing import Self

import httpx
from tenacity import Retrying
from tqdm import tqdm

from droneseg.client.errors import ClientError, errors_of_the_way
from droneseg.client.exchange import (
    AHEAD,
    CONNECT_S,
    Option,
    Photo,
    Upload,
    base_url,
    headers,
    read,
)
from droneseg.client.prediction import Prediction
from droneseg.client.retries import retries


class Client:
    """A service at a URL. Safe for use by several threads; close it, or use it in a `with`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 600,
        attempts: int = 8,
        retry_within_s: float = 120,
    ):
        """Name the service; nothing is sent yet.

        Args:
            url: such as `http://localhost:3000`.
            api_key: for a service that wants one.
            timeout_s: how long one answer may take.
            attempts: requests for one photo while the service answers 429 or 503.
            retry_within_s: no further attempt is begun later than this after the first.

        Raises:
            InvalidURL: there is no `http://`, or no host.
        """
        self._attempts = attempts
        self._retry_within_s = retry_within_s
        self._http = httpx.Client(
            base_url=base_url(url),
            headers=headers(api_key),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def predict(self, photo: Photo, *, render: str = "labels", **options: Option) -> Prediction:
        """Segment one photo.

        Args:
            photo: the bytes of an image file, or its path.
            render: what `png` shows; class ids unless another is asked for.
            **options: further options of the service, such as `gsd_cm=2.5`.

        Raises:
            ServiceError: the service refuses, or is still busy after the last attempt.
            ClientError: the file or the service cannot be reached; see its subclasses.
        """
        upload = Upload.of(photo)
        query = httpx.QueryParams({"render": render, **options})
        retry = retries(Retrying, self._attempts, self._retry_within_s)
        return retry(self._post, upload, query)

    def predict_many(
        self,
        photos: Iterable[Photo],
        *,
        concurrency: int = 4,
        progress: bool = False,
        render: str = "labels",
        **options: Option,
    ) -> Generator[Prediction | ClientError, None, None]:
        """Segment many photos, some at a time; for each, in order, its prediction or its error.

        Photos are read as they are sent. To leave the iteration early, close it
        (`contextlib.closing`): those in flight are waited for, no other is sent.

        Args:
            photos: as `predict` takes them.
            concurrency: requests in flight.
            progress: show a bar.
            render: as in `predict`.
            **options: as in `predict`.
        """
        window: deque[Future[Prediction | ClientError]] = deque()

        def outcome(photo: Photo) -> Prediction | ClientError:
            try:
                return self.predict(photo, render=render, **options)
            except ClientError as error:
                return error

        def first() -> Prediction | ClientError:
            answer = window.popleft().result()
            bar.update()
            return answer

        bar = tqdm(total=length_hint(photos) or None, unit="photo", disable=not progress)
        with bar, ThreadPoolExecutor(concurrency) as pool:
            try:
                for photo in photos:
                    window.append(pool.submit(outcome, photo))
                    if len(window) == AHEAD * concurrency:
                        yield first()
                while window:
                    yield first()
            finally:
                for future in window:
                    future.cancel()

    def _post(self, upload: Upload, query: httpx.QueryParams) -> Prediction:
        with errors_of_the_way(self._http.base_url):
            response = self._http.post("/predict", files=upload.files, params=query)
        return read(response)
