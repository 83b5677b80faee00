"""The routes as an OpenAPI document, and as a page for people that needs nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import msgspec

import takeroot
from takeroot.serve.faults import FAULTS

if TYPE_CHECKING:
    from takeroot.serve.native import Route

_ANSWER = {
    "type": "object",
    "description": "One answer; tag has entities, multilabel labels in the place of label, and a "
    "model that writes texts has text and tokens.",
    "properties": {
        "label": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "entities": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "start": {"type": "integer"},
                    "end": {"type": "integer"},
                    "label": {"type": "string"},
                    "text": {"type": "string"},
                    "confidence": {"type": "number"},
                },
            },
        },
        "text": {"type": "string"},
        "tokens": {"type": "integer"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "probabilities": {"type": "object", "additionalProperties": {"type": "number"}},
        "abstained": {"type": "boolean"},
        "reason": {"type": ["string", "null"]},
    },
    "required": ["confidence", "abstained", "reason"],
}
_PREDICTIONS = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "predictions": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
    },
    "required": ["model", "version", "predictions"],
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "enum": sorted(FAULTS)},
                "message": {"type": "string"},
                "request_id": {"type": "string"},
            },
            "required": ["code", "message", "request_id"],
        }
    },
}
_REQUESTS = ("PredictRequest", "WriteRequest")  # of models of labels, and of those that write
_EXAMPLE = {"inputs": ["my card has not arrived"], "options": {"top_k": 3}}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    from takeroot.serve.bodies import PredictRequest, WriteRequest

    _, schemas = msgspec.json.schema_components(
        [PredictRequest, WriteRequest], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "takeroot", "version": takeroot.__version__},
        "paths": paths,
        "components": {
            "schemas": {**schemas, "Answer": _ANSWER, "Predictions": _PREDICTIONS, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    """One route."""
    schema = {"$ref": "#/components/schemas/Predictions"} if route.method == "POST" else {}
    ok = {"description": "OK", "content": {"application/json": {"schema": schema}}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", route.path)
        ],
        "responses": {"200": ok, "default": {"description": "Refused", "content": error}},
    }
    if route.scope is not None:
        operation["security"] = [{"token": []}]
        operation["description"] = f"Needs the scope `{route.scope}`."
    if route.method == "POST":
        kinds = [{"$ref": f"#/components/schemas/{name}"} for name in _REQUESTS]
        body = {"schema": {"anyOf": kinds}, "example": _EXAMPLE}
        operation["requestBody"] = {"required": True, "content": {"application/json": body}}
    return operation


def page(routes: Sequence[Route]) -> bytes:
    """The same for people: every route, the body of a prediction, and the errors."""
    rows = "".join(
        f"<tr><td><b>{route.method}</b></td><td><code>{escape(route.path)}</code></td>"
        f"<td>{escape(route.scope or 'open')}</td><td>{escape(route.summary)}</td></tr>"
        for route in routes
    )
    errors = "".join(
        f"<tr><td>{fault.http}</td><td><code>{code}</code></td><td>{escape(fault.message)}</td></tr>"
        for code, fault in FAULTS.items()
    )
    example = escape(json.dumps(_EXAMPLE, indent=2))
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>takeroot: API</title>
<link rel="stylesheet" href="/page/page.css"><main><h1>API</h1>
<p>As <a href="/openapi.json">OpenAPI</a>. The Open Inference Protocol V2 is at <code>/v2</code>,
and over gRPC. <a href="/">Try a model</a>.</p>
<h2>Routes</h2><div class="wide"><table>
<tr><th></th><th>Path</th><th>Scope</th><th></th></tr>{rows}</table></div>
<h2>A prediction's body</h2><pre>{example}</pre>
<h2>Errors</h2><div class="wide"><table>
<tr><th>Status</th><th>Code</th><th>Message</th></tr>{errors}</table></div></main></html>""".encode()
