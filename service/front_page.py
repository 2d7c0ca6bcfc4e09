"""The page for people: its files, and two photos drawn to try it with."""

import io
from functools import cache
from pathlib import Path

from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from droneseg.scene import draw_scene

FOLDER = Path(__file__).parent / "page"

# Nothing inline, and nothing from or to another host.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Asked for again each time, and answered with 304: no old script meets a new service.
    "Cache-Control": "no-cache",
}

SAMPLE_SEEDS = {"1.jpg": 2, "2.jpg": 9}
SAMPLE_HEIGHT_PX, SAMPLE_WIDTH_PX = 600, 800


FILES = StaticFiles(directory=FOLDER)


async def file(request: Request) -> Response:
    """GET /page/NAME: a file of the page, or 304 if the browser has it."""
    response = await FILES.get_response(request.path_params["name"], request.scope)
    response.headers.update(HEADERS)
    return response


def page() -> Response:
    """The page itself, for `GET /`."""
    return FileResponse(FOLDER / "index.html", headers={**HEADERS, "Vary": "Accept"})


async def sample(request: Request) -> Response:
    """GET /page/samples/NAME: a drawn photo."""
    name = request.path_params["name"]
    if name not in SAMPLE_SEEDS:
        raise HTTPException(404)
    jpeg = await run_in_threadpool(draw_sample, name)
    return Response(jpeg, media_type="image/jpeg", headers=HEADERS)


@cache
def draw_sample(name: str) -> bytes:
    """A sample as a JPEG file; drawn once."""
    scene = draw_scene(SAMPLE_HEIGHT_PX, SAMPLE_WIDTH_PX, SAMPLE_SEEDS[name])
    buffer = io.BytesIO()
    Image.fromarray(scene).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


# No Mount: it redirects /page to /page/, which TrailingSlash makes /page again.
routes = [Route("/page/samples/{name}", sample), Route("/page/{name}", file)]
