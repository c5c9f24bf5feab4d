"""Write docs/reference/formats.md: the file formats, with every field as the class that reads and writes it says it.

    uv run python docs/reference/write_formats.py

A test compares the file with what this would write.
"""

import ast
import inspect
import re
from pathlib import Path

import click
from edge_digits_runtime import signature
from edge_digits_runtime.image import model_input
from edge_digits_runtime.model import card, reasons
from edge_digits_runtime.records import (
    device_facts,
    evaluation,
    files,
    layers,
    line_run,
    microcontroller,
    passport,
    run,
    timings,
)
from edge_digits_study import results

TARGET = Path(__file__).with_name("formats.md")

EVALUATION_KEYS = {
    "format": "Name and version of the format.",
    "created": "UTC time, ISO 8601.",
    "model": "Which model answered, see below.",
    "data": "Which pictures were answered, see below.",
    "accuracy": "Share of right answers in [0, 1].",
    "classes": "Names of the classes, in the order of the outputs; of lines, their characters.",
    "input": "How the pictures became pixels, as in a card.",
    "confusion": "A row of counts for each class: row the true class, column the answer. null where lines were read.",
    "silently_wrong": "Share of the pictures whose answer is wrong and was called sure; null where `sure` is.",
    "latency_us": (
        "By part, in microseconds, empty if only the accuracy was measured: `invoke` always; `preprocess`, "
        "`postprocess`, `total`, `picture` (an opened picture to pixels) and `file` (a picture file to the answer) "
        "where they were timed. "
        "Each has `what` was timed, `p50`, `p90`, `p99`, `mean`, `std`, and `samples_us`, every timed call "
        "of one picture."
    ),
    "peak_memory_bytes": "Largest resident set of the process in bytes; null where the system does not tell.",
    "device": "Facts of the device; `name`, `machine`, `python` and `backend` are always there.",
    "notes": "Warnings that belong beside the figures, such as a device that slowed down.",
    "extra": "Further measurements by name.",
    "labels": "The true class of each picture, an index into `classes`; of lines, the text of each.",
    "predicted": "The answer to each picture, likewise.",
    "sure": "Whether each answer was called sure; null where the model does not say, as a Keras original.",
    "probabilities": (
        "A calibrated probability for each class, for each picture, to 5 decimals; of lines, one for each line, that "
        "of its text."
    ),
    "pictures": (
        "The pictures that were answered wrong, as the model saw them: their `index`, and a `png` (base64) with all of "
        "them below each other."
    ),
}
"""Meaning of each key of an evaluation's JSON; a test compares the keys with those of `Evaluation.to_dict`."""

_KINDS = {
    "Share": "float, 0 to 1",
    "Count": "int, 0 or more",
    "Positive": "int, 1 or more",
    "Line": "str, one line",
    "Name": "str, one line",
    "Sha256": "str, 64 hexadecimal digits",
    "Time": "str, UTC, ISO 8601",
    "Scheme": "str, 'float32', 'float16', 'dynamic' or 'int8'",
    "Role": "str, 'float-original', 'float-tflite' or 'int8'",
    "Part": "str",
    "Kind": "str, 'ink', 'crop' or 'line'",
    "_Microseconds": "float, 0 or more",
    "_Milliseconds": "float, 0 or more",
    "_Megahertz": "float, 0 or more",
    "_Celsius": "float",
    "_Points": "float, -100 to 100",
    "_OfEachClass": "list[float], one of 0 to 1 for each class",
    "ClassNames": "list[str], 2 to 128",
    "Size": "float, 0 or more",
}
"""Types that the records share, in words."""


def text() -> str:
    """Return the whole page."""
    keys = "\n".join(f"| `{key}` | {meaning} |" for key, meaning in EVALUATION_KEYS.items())
    return f"""# File formats

Written by `uv run python docs/reference/write_formats.py` from the classes that read and write the files; a test
holds it to them. JSON is UTF-8 without NaN. Every file is written beside its target and renamed, so none is ever half
there. Reading checks the format name and the fields; a file that does not fit is one line that says what to do.

## Run folder

`train` writes it, `convert` reads it.

{_table_in(run.__doc__)}

`run.json` has `format` = `{run.FORMAT}` and these fields (`{run.RunRecord.__module__}.RunRecord`):

{_fields(run.RunRecord)}

`recipe` has a `name` and whatever else the training side keeps of it. `data`:

{_fields(run.RunData)}

`data.input` is as in a card, and `data.grouping`:

{_fields(run.GroupingRecord)}

`metrics`:

{_fields(run.Metrics)}

`device`, where `kind` is always there:

{_fields(device_facts.DeviceFacts)}

## Run folder of a line reader

`train line-m` and `train line-s` write it, `convert` and `train --from` read it: `model.keras`, `evaluation.json` (of
the original, on made lines) and, written last, `run.json`; `checkpoint.npz` only while training is unfinished.
`run.json` has `format` = `{run.LINE_FORMAT}` and these fields (`{line_run.LineRunRecord.__module__}.LineRunRecord`):

{_fields(line_run.LineRunRecord)}

## Model file

`convert` writes it, everything that runs a model reads it. It is a TFLite flatbuffer with a stored (uncompressed) ZIP
behind it that holds `labels.txt`, a label per line, and `card.json`: the TFLite metadata convention for associated
files. An interpreter stops reading at the end of the flatbuffer; `unzip -l model.tflite` lists the rest. A `.tflite`
without a card runs too, if its tensors are those of a classifier of small grey pictures.

With `--sign` the file ends with {signature.BYTES} bytes, the comment of that ZIP: `{signature.MARK.decode()}`,
the public key (32 bytes), and the Ed25519 signature (64 bytes) of all that is before the {signature.BYTES} bytes, the
length of the comment included. It is found by its size, so that nothing need be parsed to check it; the key in it only
makes a better message. OpenSSL 3 checks it, too:

```console
$ head -c -{signature.BYTES} model.tflite > signed && tail -c 64 model.tflite > signature
$ openssl pkeyutl -verify -pubin -inkey release.pub -rawin -in signed -sigfile signature
```

Keys are PEM files: PKCS #8 without a passphrase, and SubjectPublicKeyInfo.

The input is a grey picture of the size that the card says, 28×28 pixels for digits, 0 background and 255 ink: int8 with
scale 1/255 and zero point -128, or float in [0, 1]. The output is a logit for each label. A model of lines takes 32×264
pixels, dark on light, of the same types; its output is 1 × steps × characters and blank, logits as well.

`card.json` has `format` = `{card.FORMAT}` and these fields (`{card.ModelCard.__module__}.ModelCard`):

{_fields(card.ModelCard)}

`input`:

{_fields(model_input.Input)}

`calibration`:

{_fields(card.Calibration)}

`reference`:

{_fields(card.FloatReference)}

## Evaluation

`evaluate`, `deploy` and `train` (for the float original) write it, `report` and `models` read it. One JSON file,
compressed where its name ends in `.gz` (`{evaluation.Evaluation.__module__}.Evaluation`). `format` is
`{evaluation.FORMAT}`.

| key | |
|---|---|
{keys}

`model`:

{_fields(evaluation.ModelInfo)}

`data`, which also has `count`, the number of pictures:

{_fields(evaluation.DataInfo)}

`device` is as in a run, without `kind` where no Keras took part. `extra` may hold any JSON, and these:

{_fields(timings.Extra)}

`loops` by part, and `picture`:

{_fields(timings.LoopTimes)}

Each of `threads`:

{_fields(timings.ThreadTimes)}

`conditions` has `before` and `after` the measurement:

{_fields(device_facts.Conditions)}

## Layers

`convert --inspect` writes it as `MODEL.layers.json`, `report` reads it. `format` is `{layers.FORMAT}`
(`{layers.LayerRecord.__module__}.LayerRecord`).

{_fields(layers.LayerRecord)}

Each of `layers`:

{_fields(layers.LayerError)}

## Microcontrollers

`export --measure` writes it as `microcontroller.json`, `report` and `models` read it. `format` is
`{microcontroller.FORMAT}` (`{microcontroller.MicrocontrollerRecord.__module__}.MicrocontrollerRecord`).

{_fields(microcontroller.MicrocontrollerRecord)}

Each of `processors`:

{_fields(microcontroller.ProcessorFigures)}

## Passport

`certify` writes it, `doctor --passport` compares it with the device that it is on. `format` is `{passport.FORMAT}`
(`{passport.Passport.__module__}.Passport`).

A signed one ends with a member `signature`: the {signature.BYTES} bytes as behind a
[model file](#model-file), in base64. The signature is of all that is before the comma in front of that member, and is
checked before the JSON is parsed; so the layout of the end is fixed: comma, line break, two spaces,
`"signature": "…"`, line break, brace, line break.

{_fields(passport.Passport)}

`model`:

{_fields(passport.CertifiedModel)}

Each of `installed`:

{_fields(passport.Installed)}

`limits`:

{_fields(passport.Limits)}

`drop`:

{_fields(passport.CertifiedDrop)}

`times`:

{_fields(passport.CertifiedTimes)}

`original`:

{_fields(passport.CertifiedOriginal)}

`device`, `before` and `after` are as in an evaluation.

## What `--json` prints

A JSON schema for each verb: [classify](schemas/classify.schema.json), [read](schemas/read.schema.json),
[data](schemas/data.schema.json), [doctor](schemas/doctor.schema.json), [models](schemas/models.schema.json),
[recipes](schemas/recipes.schema.json) and [report](schemas/report.schema.json), which is `report.json`, too;
[report --before](schemas/report.before.schema.json) has one of its own. A test
holds what is printed to them. `reason` is a sentence and may be reworded; `reason_code` stays what it is:
{", ".join(f"`{code}`" for code in reasons.ALL)}.

## Results of a study

`study` writes `results.json`, its page and `study compare` read it. It has `format` = `{results.FORMAT}`, `study`,
the name of the study, and `trials`, a list with these fields (`{results.Trial.__module__}.Trial`). A `Count` is an
integer of at least 0, a `Duration` a number of at least 0, `Points` are percentage points from -100 to 100. Reading
checks types, ranges and lengths, nested values too.

{_fields(results.Trial)}

`int8`:

{_fields(results.Int8)}
"""


def _fields(record: type) -> str:
    """Return a table of the fields of a dataclass, with the string literal below each."""
    body = ast.parse(inspect.getsource(record)).body[0]
    assert isinstance(body, ast.ClassDef)
    rows = ["| field | type | |", "|---|---|---|"]
    for statement, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            meaning = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                meaning = " ".join(inspect.cleandoc(str(below.value.value)).split()).replace("``", "`")
            kind = _kind(statement.annotation).replace("|", "\\|")
            rows.append(f"| `{statement.target.id}` | {kind} | {meaning} |")
    return "\n".join(rows)


def _kind(annotation: ast.expr) -> str:
    """Return an annotation in words: of ``Annotated``, the type and what is allowed."""
    source = re.sub(r"^(?:Not)?Required\[(.+)\]$", r"\1", ast.unparse(annotation))
    alone = source.removesuffix(" | None")
    if alone in _KINDS:
        return source.replace(alone, _KINDS[alone])
    for name, words in _KINDS.items():
        source = re.sub(rf"\b{name}\b", words.partition(",")[0], source)
    source = re.sub(r"Annotated\[Mapping.*, As\((\w+)\)\]", r"\1", source)
    source = re.sub(r"Annotated\[(\w+), Within\(([^,]+), ([^)]+)\)\]", r"\1, \2 to \3", source)
    source = re.sub(r"Annotated\[(\w+), Matching\(.*, '(.+?)'\)\]", r"\1, \2", source)
    while re.search(r"Annotated\[.+, Length", source):
        # The innermost first: one with no other in it.
        source = re.sub(r"Annotated\[((?:(?!Annotated).)+?), Length\([^)]*\)\]", r"\1", source)
    return re.sub(r"Literal\[(.+)\]", r"\1", source)


def _table_in(docstring: str | None) -> str:
    """Return the lines of a docstring that are a table."""
    lines = [line.strip() for line in (docstring or "").splitlines()]
    return "\n".join(line for line in lines if line.startswith("|")).replace("``", "`")


if __name__ == "__main__":
    files.write_bytes(TARGET, text().encode())
    click.echo(TARGET)
