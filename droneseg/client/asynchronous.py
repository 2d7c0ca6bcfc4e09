"""AsyncClient: photos to predictions of a service, for programs with asyncio."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from operator import length_hint
from types import TracebackType
from typing import Self

import httpx
from tenacity import AsyncRetrying
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


class AsyncClient:
    """As `Client`, but its methods are coroutines; close it, or use it in an `async with`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout_s: float = 600,
        attempts: int = 8,
        retry_within_s: float = 120,
    ):
        """Name the service as `Client` does; nothing is sent yet."""
        self._attempts = attempts
        self._retry_within_s = retry_within_s
        self._http = httpx.AsyncClient(
            base_url=base_url(url),
            headers=headers(api_key),
            timeout=httpx.Timeout(timeout_s, connect=CONNECT_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def predict(
        self, photo: Photo, *, render: str = "labels", **options: Option
    ) -> Prediction:
        """Segment one photo; arguments and errors are those of `Client.predict`."""
        upload = await asyncio.to_thread(Upload.of, photo)
        query = httpx.QueryParams({"render": render, **options})
        retry = retries(AsyncRetrying, self._attempts, self._retry_within_s)
        return await retry(self._post, upload, query)

    async def predict_many(
        self,
        photos: Iterable[Photo],
        *,
        concurrency: int = 4,
        progress: bool = False,
        render: str = "labels",
        **options: Option,
    ) -> AsyncGenerator[Prediction | ClientError, None]:
        """As `Client.predict_many`; closing it early (`aclose`) cancels those in flight."""
        window: deque[asyncio.Task[Prediction | ClientError]] = deque()
        gate = asyncio.Semaphore(concurrency)

        async def outcome(photo: Photo) -> Prediction | ClientError:
            async with gate:
                try:
                    return await self.predict(photo, render=render, **options)
                except ClientError as error:
                    return error

        async def first() -> Prediction | ClientError:
            answer = await window.popleft()
            bar.update()
            return answer

        with tqdm(total=length_hint(photos) or None, unit="photo", disable=not progress) as bar:
            try:
                for photo in photos:
                    window.append(asyncio.create_task(outcome(photo)))
                    if len(window) == AHEAD * concurrency:
                        yield await first()
                while window:
                    yield await first()
            finally:
                for task in window:
                    task.cancel()
                await asyncio.gather(*window, return_exceptions=True)

    async def _post(self, upload: Upload, query: httpx.QueryParams) -> Prediction:
        with errors_of_the_way(self._http.base_url):
            response = await self._http.post("/predict", files=upload.files, params=query)
        return read(response)
