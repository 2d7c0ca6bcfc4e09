"""IMAGE: what a container has that bentofile.yaml cannot say."""

from bentoml.images import Image

IMAGE = Image(
    base_image="python:3.11-slim-bookworm",
    # BentoML would install compilers for a distribution that it knows: 400 MB that nothing uses.
    distro="none",
    python_version="3.11",
    lock_python_packages=False,
    # UV_CONSTRAINT of bentofile.yaml: there before the packages are installed.
    build_include_paths=["constraints.txt"],
)
