"""The OpenAPI document: complete, and true."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.service.server import Server

pytestmark = pytest.mark.service

# Of random bytes few are images, so a refusal says nothing; and where the document has a boolean,
# `yes` and `on` are taken, too.
NOT_CHECKED = "positive_data_acceptance,negative_data_rejection"


def test_schemathesis_finds_no_answer_that_the_document_does_not_have(
    server: Server, tmp_path: Path
) -> None:
    """Requests drawn from the document, good and bad: no 500, no other status, no other schema."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/docs.json"),
        *("--exclude-checks", NOT_CHECKED),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--seed", "0"),
        *("--continue-on-failure", "--no-color", "--request-timeout", "60"),
        *("--report", "ndjson", "--report-dir", str(tmp_path)),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=600, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout
    assert "14 passed" in done.stdout


def test_every_route_is_in_the_document_and_errors_have_examples(server: Server) -> None:
    document = httpx.get(f"{server.url}/docs.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answer = httpx.request(method, f"{server.url}{path}", timeout=60)
            assert answer.status_code not in {405, 500}, path
            assert str(answer.status_code) in operation["responses"], path
    prediction = document["paths"]["/predict"]["post"]
    assert {"400", "401", "413", "415", "422", "429", "503", "504"} <= set(prediction["responses"])
    for status, response in prediction["responses"].items():
        if status != "200":
            assert response["content"]["application/json"]["examples"]


def test_the_docs_ask_no_other_host(server: Server) -> None:
    page = httpx.get(f"{server.url}/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "http:" not in page.text
    assert "https:" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"static_content/{asset}" in page.text
        assert httpx.get(f"{server.url}/static_content/{asset}").status_code == 200
