"""Google's own description of its APIs, as the discovery documents of its client have it."""

import json
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator


def validator(api: str, schema: str) -> Draft202012Validator:
    """A validator of one of an API's schemas, which allows no property that it does not name."""
    path = files("googleapiclient.discovery_cache") / "documents" / f"{api}.json"
    schemas = json.loads(path.read_text())["schemas"]
    definitions = {name: _strict(definition) for name, definition in schemas.items()}
    return Draft202012Validator({"$ref": f"#/$defs/{schema}", "$defs": definitions})


def _strict(node: Any) -> Any:
    """The same as JSON Schema: references into $defs, closed objects."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _strict(value) for key, value in node.items() if key in KEYWORDS}
    if "$ref" in node:
        kept["$ref"] = f"#/$defs/{node['$ref']}"
    if "properties" in node:
        properties = node["properties"].items()
        kept["properties"] = {name: _strict(value) for name, value in properties}
        kept.setdefault("additionalProperties", False)
    return kept


KEYWORDS = {"type", "items", "additionalProperties", "enum"}
