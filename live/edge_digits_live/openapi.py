"""The OpenAPI document of the service."""

from typing import Any

from edge_digits_runtime import __version__
from edge_digits_runtime.meter import reasons as meter_reasons
from edge_digits_runtime.model import reasons

from edge_digits_live.limits import MOST_HOURS, MOST_RECORDS, Limits

_TEXT = {"type": "string"}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_BOX = {
    "type": ["array", "null"],
    "items": {"type": "integer"},
    "minItems": 4,
    "maxItems": 4,
    "description": "x, y, width and height in pixels of the picture.",
}
_REASON = {"type": ["string", "null"], "description": "Why the answer is not sure; null if it is."}
_FILE = {"type": "string", "description": "Name of the file in a form; empty for a picture that came alone."}


def document(limits: Limits, token: bool) -> dict[str, Any]:
    """Return the document, of OpenAPI 3.1.

    Args:
        limits: what the service allows.
        token: whether it asks for one.
    """
    secured: dict[str, Any] = {"security": [{"token": []}]} if token else {}
    schemas: dict[str, Any] = {
        "Error": _object({"error": {"type": "string", "description": "What was got, what is allowed, what to do."}}),
        "PictureError": _object({"file": _FILE, "error": {"type": "string"}}),
        "Prediction": _prediction(),
        "Page": _page(),
        "Model": _model(),
        "InstalledModel": {"type": "object", "required": ["name", "default", "bytes"]},
        "Labelled": {"type": "object", "required": ["label"]},
        "Waiting": _object(
            {
                "waiting": {"type": "array", "items": _waiting()},
                "labelled": {"type": "integer", "minimum": 0},
                "full": {"type": "boolean"},
            }
        ),
        "Readings": _readings(),
        "Reading": RECORD,
        "Profile": _profile(),
        "Health": _object(
            {
                "status": {"type": "string"},
                "version": {"type": "string"},
                "model": {"type": "string"},
                "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                "waiting": {"type": "integer", "minimum": 0},
            }
        ),
    }
    schemes = {"token": {"type": "http", "scheme": "bearer"}} if token else {}
    live = _query("live", {"type": "boolean"}, "Not finished: do not collect it.")
    show = _query("show", {"type": "boolean"}, "Add what the model saw, and where in the picture.")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "edge-digits",
            "version": __version__,
            "description": "Pictures in, digits out. Every error is an object with one line, as the command prints it.",
        },
        "paths": {
            "/": {"get": _operation("page", "The page.", "text/html", {"type": "string"})},
            "/healthz": {"get": _operation("health", "Whether the service is well.", _JSON, _ref("Health"))},
            "/metrics": {
                "get": _operation("metrics", "Counters for Prometheus.", "text/plain", {"type": "string"}) | secured
            },
            "/api/openapi.json": {"get": _operation("openapi", "This document.", _JSON, {"type": "object"}) | secured},
            "/api/classify": {
                "post": _pictures("classify", "Prediction", limits, [_MODEL, show, live, _GROUP]) | secured
            },
            "/api/read": {"post": _pictures("read", "Page", limits, []) | secured},
            "/api/correct": {
                "post": _pictures("correct", "Labelled", limits, [_MODEL, _LABEL, _GROUP], _COLLECTING) | secured
            },
            "/api/waiting": {
                "get": _operation(
                    "waiting", "The pictures that wait for a label.", _JSON, _ref("Waiting"), [], _COLLECTING
                )
                | secured
            },
            "/api/waiting/{name}": {
                "get": _operation("picture", "One of them.", "image/png", _TEXT, [_NAME], _COLLECTING) | secured
            },
            "/api/label": {
                "post": _operation(
                    "label",
                    "Label one of them; without a label, take it back.",
                    _JSON,
                    _ref("Labelled"),
                    [_query("id", _TEXT, "Its name."), _LABEL],
                    _COLLECTING | _FOREIGN,
                )
                | secured
            },
            "/api/camera": {
                "get": _operation(
                    "camera",
                    "What the camera sees now, or the newest picture of a folder.",
                    "image/jpeg",
                    _TEXT,
                    [],
                    _NONE | _BUSY | {"502": _error("The camera fails.")},
                )
                | secured
            },
            "/api/readings": {
                "get": _operation(
                    "readings",
                    "What the meter shows, and showed.",
                    _JSON,
                    _ref("Readings"),
                    [_LIMIT, _HOURS, _SURE],
                    _NONE | _BUSY | _BAD,
                )
                | secured
            },
            "/api/doubts/{name}": {
                "get": _operation(
                    "doubt", "A doubtful picture of the meter.", "image/jpeg", _TEXT, [_NAME], _NONE | _BUSY
                )
                | secured
            },
            "/api/profile": {
                "get": _operation("profile", "Where the digits of the meter are.", _JSON, _ref("Profile"), [], _NONE)
                | secured,
                "post": _moving(limits) | secured,
            },
            "/api/profile/picture": {
                "get": _operation(
                    "reference", "The picture that the boxes are of.", "image/png", _TEXT, [], _NONE | _BUSY
                )
                | secured
            },
            "/api/model": {
                "get": _operation("model", "What is known of a model.", _JSON, _ref("Model"), [_MODEL], _ASKED)
                | secured
            },
            "/api/models": {
                "get": _operation(
                    "models", "The models that can be asked for.", _JSON, _list("InstalledModel"), [], _BUSY
                )
                | secured
            },
        },
        "components": {"schemas": schemas} | ({"securitySchemes": schemes} if schemes else {}),
    }


_JSON = "application/json"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(*names: str) -> dict[str, Any]:
    items = _ref(names[0]) if len(names) == 1 else {"anyOf": [_ref(name) for name in names]}
    return {"type": "array", "items": items}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


_MODEL = _query("model", {"type": "string"}, "Name of an installed model; the model of the service by default.")


def _error(description: str, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": description, "content": {_JSON: {"schema": _ref("Error")}}}
    return answer | ({"headers": headers} if headers else {})


_COME_BACK = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}
_BUSY = {"503": _error("More to do than the service takes on.", _COME_BACK)}
_ASKED = {"404": _error("No model of that name."), "422": _error("A parameter that is not allowed.")} | _BUSY
_REFUSED = {"401": _error("No token, or not the right one."), "421": _error("The Host is no name of this machine.")}


_COLLECTING = _ASKED | {
    "404": _error("Nothing is collected, or no such picture."),
    "507": _error("The collection is full."),
}
_NONE = {"404": _error("Nothing of this kind is here.")}
_BAD = {"422": _error("What was sent is not allowed.")}
_LIMIT = _query(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MOST_RECORDS, "default": 200},
    "How many at most: the newest, or with hours every so many of that time.",
)
_HOURS = _query("hours", {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_HOURS}, "How far back.")
_SURE = _query("sure", {"type": "boolean"}, "true: only what was published; false: only what was doubtful.")
_FOREIGN = {"403": _error("Asked by a page from elsewhere.")}
_LABEL = _query("label", _TEXT, "Name of a class.")
_GROUP = _query("group", _TEXT, "Who wrote the picture, or which meter shows it.")
_NAME = {"name": "name", "in": "path", "required": True, "schema": _TEXT, "description": "Its name."}


def _operation(
    name: str,
    summary: str,
    kind: str,
    schema: dict[str, Any],
    parameters: list[dict[str, Any]] | None = None,
    errors: dict[str, Any] | None = None,
) -> dict[str, Any]:
    found = {"description": summary, "content": {kind: {"schema": schema}}}
    responses = {"200": found, **(errors or {}), **_REFUSED}
    return {"operationId": name, "summary": summary, "parameters": parameters or [], "responses": responses}


def _pictures(
    name: str, answer: str, limits: Limits, parameters: list[dict[str, Any]], errors: dict[str, Any] | None = None
) -> dict[str, Any]:
    schema = {"anyOf": [_ref(answer), _list(answer, "PictureError")]}
    operation = _operation(
        name, f"{name.capitalize()} one picture, or several.", _JSON, schema, parameters, errors or _ASKED
    )
    picture = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {"picture": {"type": "array", "items": picture}},
    }
    operation["requestBody"] = {
        "required": True,
        "description": f"At most {limits.body_bytes / 1e6:g} MB and {limits.pictures} pictures, each of at most "
        f"{limits.pixels / 1e6:g} megapixels.",
        "content": {"application/octet-stream": {"schema": picture}, "multipart/form-data": {"schema": form}},
    }
    operation["responses"] |= {
        "400": _error("A form that cannot be read."),
        **_FOREIGN,
        "408": _error("The body came too slowly."),
        "413": _error("Too many bytes, pixels or pictures."),
        "422": _error("No picture that can be read, or a parameter that is not allowed."),
    }
    return operation


def _prediction() -> dict[str, Any]:
    seen = _object(
        {
            "width": {"type": "integer"},
            "height": {"type": "integer"},
            "pixels": {"type": "string", "format": "byte", "description": "A byte a pixel, row by row, in Base64."},
            "box": _BOX,
        }
    )
    return _object(
        {
            "file": _FILE,
            "label": {"type": "string"},
            "value": {"type": "number", "description": "How far a wheel has turned, from 0 to 9.9."},
            "confidence": _SHARE,
            "probabilities": {"type": "object", "additionalProperties": _SHARE},
            "sure": {"type": "boolean"},
            "reason": _REASON,
            "reason_code": {"type": ["string", "null"], "enum": [*reasons.ALL, None]},
            "seen": seen,
        },
        optional=("value", "seen"),
    )


RECORD = _object(
    {
        "time": {
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$",
            "description": "When the picture was taken, UTC.",
        },
        "meter": {"type": "string", "description": "The name in the profile."},
        "text": {"type": "string", "description": "One character for each slot; ? where one is doubtful."},
        "value": {"type": ["number", "null"], "description": "The value that is published; null where it is doubtful."},
        "unit": _TEXT,
        "sure": {"type": "boolean"},
        "reason": _REASON,
        "reason_code": {"enum": [*meter_reasons.ALL, None]},
        "source": {"type": "string", "description": "Name of the picture, or of the camera."},
        "picture": {"type": ["string", "null"], "description": "Name of a doubtful picture, for /api/doubts/{name}."},
    }
)
"""A reading, as ``watch --json`` prints it."""


def _readings() -> dict[str, Any]:
    return _object(
        {
            "meter": {"type": "string", "description": "The name in the profile."},
            "unit": _TEXT,
            "decimals": {"type": "integer", "minimum": 0},
            "watching": {"type": "boolean", "description": "Whether this service watches the meter itself."},
            "troubles": {"type": "array", "items": _TEXT, "description": "What does not work now: camera, outputs."},
            "last": {"anyOf": [_ref("Reading"), {"type": "null"}], "description": "What was published last."},
            "records": {"type": "array", "items": _ref("Reading"), "description": "The newest first."},
        }
    )


def _boxes() -> dict[str, Any]:
    box = _BOX | {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 65_535}}
    return {"type": "array", "items": box}


def _profile() -> dict[str, Any]:
    size = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    return _object(
        {
            "meter": _TEXT,
            "size": size | {"description": "Width and height of the reference picture in pixels."},
            "boxes": _boxes() | {"description": "Where the digits are, from left to right."},
            "patches": _boxes() | {"description": "What pictures are aligned by."},
            "picture": {"type": "boolean", "description": "Whether there is a reference picture."},
            "writable": {"type": "boolean", "description": "Whether the boxes may be moved from here."},
        }
    )


def _moving(limits: Limits) -> dict[str, Any]:
    operation = _operation(
        "move", "Move the boxes of the profile, in its file.", _JSON, _ref("Profile"), [], _NONE | _BUSY | _BAD
    )
    operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": _object({"boxes": _boxes()})}}}
    operation["responses"] |= {
        "403": _error("Asked by a page from elsewhere, or of a service that is open to everybody."),
        "408": _error("The body came too slowly."),
        "413": _error(f"More than {limits.body_bytes / 1e6:g} MB."),
    }
    return operation


def _waiting() -> dict[str, Any]:
    names = {"type": "array", "items": _TEXT}
    return _object(
        {"id": _TEXT, "said": _TEXT, "confidence": _SHARE, "reason": _REASON, "classes": names, "group": _TEXT}
    )


def _page() -> dict[str, Any]:
    place = {"type": ["integer", "null"], "minimum": 0}
    character = _object({"text": {"type": "string"}, "confidence": _SHARE, "box": _BOX})
    line = _object(
        {
            "text": {"type": "string"},
            "value": {"type": ["number", "null"], "description": "The number that the text is; null if it is none."},
            "confidence": _SHARE,
            "sure": {"type": "boolean"},
            "reason": _REASON,
            "reason_code": {"type": ["string", "null"], "enum": [*reasons.ALL, None]},
            "row": place,
            "column": place,
            "box": _BOX,
            "characters": {"type": "array", "items": character},
        }
    )
    return _object(
        {
            "file": _FILE,
            "turned": {"enum": [0, 90, 180, 270]},
            "lines": {"type": "array", "items": line},
            "sure": {"type": "boolean"},
        }
    )


def _model() -> dict[str, Any]:
    number, text = {"type": ["number", "null"]}, {"type": ["string", "null"]}
    return {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "labels": {"type": "array", "items": {"type": "string"}},
            "input": _object(
                {"kind": {"enum": ["ink", "crop"]}, "height": {"type": "integer"}, "width": {"type": "integer"}}
            ),
            "min_confidence": _SHARE,
            "accuracy": number,
            "bytes": {"type": "integer"},
            "sha256": {"type": "string"},
            "p50_us": {"type": "number", "description": "Median latency of one picture on this device."},
            "collects": {"type": "boolean", "description": "Whether corrected pictures are kept."},
            "camera": text | {"description": "Name of the camera of the device."},
            "meter": text | {"description": "Name of the meter that is watched."},
            "device": text,
        },
        "required": ["name", "labels", "input", "accuracy", "bytes", "sha256", "p50_us"],
    }
