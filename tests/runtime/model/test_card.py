"""The card says what the runtime obeys; anything else in it is refused."""

import contextlib
import dataclasses
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime import DigitClassifier
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import registry
from edge_digits_runtime.model.card import (
    Calibration,
    FloatReference,
    ModelCard,
    append_card,
    parse_model_file,
    read_model_file,
)

Tiny = Callable[[str], Path]

CARD = ModelCard(
    name="net",
    scheme="int8",
    sha256="a" * 64,
    recipe={"name": "net", "layers": [{"kind": "flatten"}]},
    calibration=Calibration("train", 500, 1),
    reference=FloatReference("a workstation", {"validation": 1.0, "test": 0.99}, 100.0),
    accuracy={"validation": 0.98, "test": 0.97},
    temperature=1.25,
    min_confidence=0.75,
    created="2026-05-01T12:30:00+00:00",
    parameters=10,
    macs=20,
)


def with_entries(flatbuffer: bytes, entries: dict[str, str], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A model file with any entries behind the model."""
    buffer = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def test_a_card_is_read_as_it_was_written(tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    file = parse_model_file(append_card(flatbuffer, CARD), "model")
    assert file.card == dataclasses.replace(CARD, sha256=file.sha256)
    assert file.content[: file.flatbuffer_bytes] == flatbuffer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "name is None"),
        ({"name": "a\nb"}, "name is 'a\\nb'"),
        ({"scheme": "int4"}, "scheme is 'int4'; allowed is 'float32' or 'float16' or 'dynamic' or 'int8'"),
        ({"sha256": "a"}, "sha256 is 'a'"),
        ({"recipe": []}, "recipe is list"),
        ({"recipe": {"rate": float("nan")}}, "recipe.rate is nan"),
        ({"weights_sha256": "x"}, "weights_sha256 is 'x'"),
        ({"calibration": {}}, "calibration.split is missing"),
        ({"calibration": {"split": "test", "count": 500, "seed": 1}}, "calibration.split is 'test'"),
        ({"calibration": {"split": "train", "count": -1, "seed": 1}}, "calibration.count is -1"),
        ({"scheme": "float32"}, "calibration is there, but the scheme is float32"),
        ({"reference": {"device": 5, "accuracy": {}, "p50_us": 1}}, "reference.device is 5"),
        ({"reference": {"device": "x", "accuracy": {"test": 99}, "p50_us": 1}}, "reference.accuracy.test is 99"),
        ({"accuracy": []}, "accuracy is list"),
        ({"accuracy": {"test": 1.01}}, "accuracy.test is 1.01; allowed is 0 to 1"),
        ({"temperature": 0}, "temperature is 0; allowed is 0.001 to 1,000"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": 1e-300}, "temperature is 1e-300"),
        ({"temperature": 10**400}, "temperature is 1000"),
        ({"temperature": "1"}, "temperature is '1'"),
        ({"min_confidence": 5.0}, "min_confidence is 5.0; allowed is 0 to 1"),
        ({"min_confidence": -0.1}, "min_confidence is -0.1"),
        ({"min_confidence": float("nan")}, "min_confidence is nan"),
        ({"min_confidence": None}, "min_confidence is None"),
        ({"labels": list("0")}, "labels is list; allowed is a list of 2 to 128"),
        ({"labels": [*"012345678", "8"]}, "labels is list; allowed is names that are all different"),
        ({"labels": [*"012345678", ""]}, "labels[9] is ''; allowed is 1 to 40 printable characters"),
        ({"labels": [*"012345678", "x" * 41]}, "labels[9] is 'xxxxx"),
        ({"labels": [*"012345678", "line\nend"]}, "labels[9] is 'line"),
        ({"labels": [*"012345678", "\x1b[31m"]}, "labels[9] is '"),
        ({"labels": list(range(10))}, "labels[0] is 0; allowed is text"),
        ({"labels": "0123456789"}, "labels is '0123456789'; allowed is a list"),
        ({"input": {"kind": "sheet", "version": 1}}, "input.kind is 'sheet'; allowed is 'ink' or 'crop' or 'line'"),
        ({"input": {"kind": "ink", "height": 32}}, "input: input ink of 32×28; allowed is 28×28"),
        ({"input": {"kind": "crop", "height": 8}}, "input: input crop of 8×28; allowed is 16 to 64 pixels a side"),
        ({"input": {"kind": "crop", "width": "20"}}, "input.width is '20'; allowed is a whole number"),
        ({"input": {"kind": "ink", "version": 99}}, "input: input version 99; this runtime knows version 1"),
        ({"input": {"kind": "ink", "version": True}}, "input.version is True"),
        ({"input": None}, "input is None"),
        ({"preprocessing": 99}, "preprocessing is unknown"),
        ({"runtime": 5}, "runtime is 5"),
        ({"runtime": "soon"}, "runtime is 'soon'"),
        ({"runtime": "9" * 5000}, "runtime is '999"),
        ({"created": "yesterday"}, "created is 'yesterday'"),
        ({"macs": "many"}, "macs is 'many'"),
        ({"parameters": -1}, "parameters is -1"),
        ({"parameters": 10**400}, "parameters is 1000"),
    ],
    ids=lambda value: f"{value!r:.60}" if isinstance(value, dict) else "",
)
def test_a_card_with_a_field_that_does_not_fit_is_refused(change: dict[str, Any], words: str, tiny: Tiny) -> None:
    flatbuffer = tiny("int8").read_bytes()[: read_model_file(tiny("int8")).flatbuffer_bytes]
    good = append_card(flatbuffer, CARD)
    values = parse_model_file(good, "good").card
    assert values is not None
    labels = "".join(f"{digit}\n" for digit in range(10))
    content = with_entries(
        flatbuffer, {"labels.txt": labels, "card.json": json.dumps(values.to_dict() | change, ensure_ascii=False)}
    )
    with pytest.raises(ModelError) as caught:
        DigitClassifier(content)
    assert str(caught.value).startswith(f"the model: the model card does not fit this runtime ({words}")
    assert "\n" not in str(caught.value)


def test_a_card_that_could_not_be_read_is_not_written(tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    for field, value in (("min_confidence", 5.0), ("temperature", float("inf")), ("labels", tuple("0123456788"))):
        with pytest.raises(ModelError, match=field):
            append_card(flatbuffer, dataclasses.replace(CARD, **{field: value}))


@pytest.mark.parametrize("labels", [None, "", "0\n1\n2\n", "".join(f"{9 - k}\n" for k in range(10))])
def test_labels_behind_the_model_are_those_of_the_card(labels: str | None, tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    entries = {} if labels is None else {"labels.txt": labels}
    card = parse_model_file(append_card(flatbuffer, CARD), "good").card
    assert card is not None
    content = with_entries(flatbuffer, entries | {"card.json": json.dumps(card.to_dict())})
    with pytest.raises(ModelError, match=r"^bad: labels\.txt behind the model does not have the labels of the card"):
        parse_model_file(content, "bad")


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"format": "edge-digits-card/1"}', "\ud83d", " " * (1 << 20)]
)
def test_a_file_that_is_no_card_is_refused_in_one_line(text: str, tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    with pytest.raises(ModelError, match=r"^bad: the model card [^\n]*$"):
        parse_model_file(with_entries(flatbuffer, {"card.json": text.encode("utf-8", "replace").decode()}), "bad")


def test_a_card_that_announces_gigabytes_is_not_unpacked(tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    content = with_entries(flatbuffer, {"card.json": "0" * (64 << 20)}, zipfile.ZIP_DEFLATED)
    assert len(content) < len(flatbuffer) + 100_000
    with pytest.raises(ModelError, match=r"^bad: the model card "):
        parse_model_file(content, "bad")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_model_that_was_cut_off_gives_one_line(share: float, tiny: Tiny) -> None:
    content = tiny("foreign-single").read_bytes()
    with pytest.raises(ModelError, match=r"^cut: (the model is damaged or was cut off|not a TFLite model)"):
        parse_model_file(content[: int(len(content) * share)], "cut")


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(lambda model: with_entries(model, {"labels.txt": "a\nb\n"}), id="files of others"),
        pytest.param(lambda model: with_entries(model, {}), id="an empty ZIP"),
        pytest.param(lambda model: append_card(model, CARD).replace(b"card.json", b"cbrd.json"), id="other name"),
        pytest.param(lambda model: model + b"\0" * 64, id="zeros"),
        pytest.param(lambda model: model + b"more", id="noise"),
        pytest.param(lambda model: model + append_card(model, CARD)[len(model) :].replace(b"PK", b"KP"), id="no ZIP"),
    ],
)
def test_what_is_behind_a_model_and_no_card_is_run_only_if_asked_for(
    behind: Callable[[bytes], bytes], tiny: Tiny
) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    with pytest.raises(ModelError, match=r"^foreign: behind the model there is .*, but no card\.json"):
        parse_model_file(behind(flatbuffer), "foreign")
    file = parse_model_file(behind(flatbuffer), "foreign", allow_unverified=True)
    assert (file.card, file.flatbuffer_bytes) == (None, len(flatbuffer))


def test_a_bare_model_may_be_padded(tiny: Tiny) -> None:
    flatbuffer = tiny("foreign-single").read_bytes()
    assert parse_model_file(flatbuffer + b"\0" * 12, "padded").card is None
    assert parse_model_file(append_card(flatbuffer + b"\0" * 12, CARD), "padded", allow_unverified=True).card


def test_a_file_of_endless_zeros_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "large.tflite").open("wb") as file:
        file.truncate(10 << 30)
    with pytest.raises(ModelError, match="larger than 64 MB"):
        read_model_file(tmp_path / "large.tflite")


def test_every_flipped_byte_behind_the_model_is_refused_or_harmless(tiny: Tiny) -> None:
    """One bit never hides the card: it would let scrambled weights run."""
    file = read_model_file(tiny("int8"))
    refused = 0
    for at in range(file.flatbuffer_bytes, len(file.content)):
        content = bytearray(file.content)
        content[at] ^= 1 << at % 8
        try:
            assert parse_model_file(bytes(content), "flipped").card == file.card
        except ModelError as error:
            refused += str(error).startswith("flipped: ")
    assert refused > (len(file.content) - file.flatbuffer_bytes) * 0.8


def test_every_cut_behind_the_model_is_refused_but_the_one_that_leaves_the_model_alone(tiny: Tiny) -> None:
    file = read_model_file(tiny("int8"))
    accepted = []
    for end in range(file.flatbuffer_bytes, len(file.content)):
        with contextlib.suppress(ModelError):
            parse_model_file(file.content[:end], "cut")
            accepted.append(end)
    assert accepted == [file.flatbuffer_bytes]


@pytest.mark.parametrize("name", registry.paths())
def test_shipped_models_have_a_card_with_every_field(name: str) -> None:
    card = registry.read(name, registry.paths()[name]).file.card
    assert card is not None
    kind = "crop" if name.startswith("meter-") else "ink"
    assert (card.name, card.scheme, card.input.kind, card.input.version) == (name, "int8", kind, 1)
    assert card.recipe["name"] == name
    assert None not in card.to_dict().values()
    assert "" not in card.to_dict().values()
