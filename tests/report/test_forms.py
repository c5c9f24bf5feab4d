"""The forms of a report: they agree, need no other file, and show any name as it is."""

import base64
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from edge_digits_runtime.records.evaluation import Evaluation
from edge_digits_runtime.records.timings import Latency
from PIL import Image

from edge_digits.report import Report, compare, html, markdown, to_dict, to_html, to_markdown, to_text, write

Make = Callable[..., Evaluation]
LABELS = [k % 10 for k in range(1000)]
EVIL = "<script>alert('$x$')</script> a|b *c* & \"d\""
VOID = {"meta", "img", "br"}


@pytest.fixture(scope="module")
def report(make_evaluation: Make) -> Report:
    """Two families, two devices, an int8 model that loses 30 of 1,000, a name that is hard to show."""
    wrong = [(label + (k < 30)) % 10 for k, label in enumerate(LABELS)]
    confidence = np.linspace(0.3, 1.0, 1000)
    extra = {
        "loops": {"invoke": {"median_us": 101.5, "loop_us": [101.5] * 5, "invocations": 200}},
        "load_ms": 12.3,
        "cold_start_ms": 456.7,
        "threads": [{"threads": 1, "one_us": 100.0, "many_us": 90.0}, {"threads": 2, "one_us": 60.0, "many_us": 45.0}],
        "conditions": {"before": {"temperature_c": 51.2}, "after": {"temperature_c": 63.4}},
    }
    pi = {"name": "Raspberry Pi 4 Model B Rev 1.4", "machine": "aarch64", "governor": "ondemand", "cores": 4}
    on_pi = make_evaluation(
        LABELS,
        wrong,
        latency_us=[90, 100, 110],
        device=pi,
        notes=("throttled now",),
        extra=extra,
        peak_memory_bytes=5 * 10**7,
    )
    on_pi.latency["total"] = Latency(np.array([120.0]), "all")
    return compare(
        [
            make_evaluation(LABELS, LABELS, "keras", size=90_000, latency_us=2000, confidence=confidence),
            make_evaluation(LABELS, LABELS, "float32", size=30_000, latency_us=20, confidence=confidence),
            make_evaluation(LABELS, wrong, size=9_000, latency_us=30, file_us=1200),
            on_pi,
            make_evaluation(LABELS, wrong, name=EVIL, weights_sha256="b" * 64),
        ]
    )


# --- JSON


def test_rows_of_the_json(report: Report) -> None:
    record = to_dict(report)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    wanted = {"name", "role", "accuracy", "accuracy_drop_pp", "agreement", "p50_us", "bytes"}
    rows = record["rows"]
    assert all(wanted <= row.keys() for row in rows)
    assert [{name: row[name] for name in wanted} for row in rows[:3]] == [
        {
            "name": "net Keras",
            "role": "float-original",
            "accuracy": 1.0,
            "accuracy_drop_pp": 0.0,
            "agreement": 1.0,
            "p50_us": 2000.0,
            "bytes": 90_000,
        },
        {
            "name": "net float32",
            "role": "float-tflite",
            "accuracy": 1.0,
            "accuracy_drop_pp": 0.0,
            "agreement": 1.0,
            "p50_us": 20.0,
            "bytes": 30_000,
        },
        {
            "name": "net int8 on Laptop",
            "role": "int8",
            "accuracy": 0.97,
            "accuracy_drop_pp": 3.0,
            "agreement": 0.97,
            "p50_us": 30.0,
            "bytes": 9_000,
        },
    ]
    assert (rows[4]["accuracy_drop_pp"], rows[4]["agreement"], rows[4]["drop"]) == (None, None, None)
    assert rows[2]["against_float_tflite"]["latency_ratio"] == 1.5
    assert rows[2]["drop"]["lost"] == 30
    assert record["worst_drop_pp"] == 3.0
    assert record["data"] == {
        "name": "MNIST",
        "split": "test",
        "sha256": "a" * 64,
        "count": 1000,
        "classes": list("0123456789"),
    }


def test_the_json_has_all_that_the_page_shows(report: Report) -> None:
    record = to_dict(report)
    row, family = record["rows"][3], record["families"][0]
    assert np.array(row["confusion"]).sum() == 1000
    assert row["classes"]["support"] == [100] * 10
    assert row["classes"]["recall"] == [0.97] * 10
    assert sum(b["count"] for b in row["confidence"]["bins"]) == 1000
    assert row["latency_us"]["invoke"] | {"what": ""} == {
        "what": "",
        "count": 3,
        "p50": 100.0,
        "p90": 108.0,
        "p99": 109.8,
        "mean": 100.0,
        "std": 8.165,
    }
    assert row["extra"]["cold_start_ms"] == 456.7
    assert family["headline"] == "int8 loses 3.00 pp of accuracy"
    assert len(family["comparisons"][0]["changes"]) == 30
    assert family["comparisons"][0]["changes"][0].keys() == {
        "index", "kind", "truth", "before", "before_confidence", "after", "after_confidence"
    }  # fmt: skip
    breakdown = family["breakdowns"][1]
    assert (breakdown["from"], breakdown["to"]) == ("net Keras", "net int8 on Raspberry Pi 4 Model B Rev 1.4")
    assert [step["causes"] for step in breakdown["steps"]] == [["format"], ["quantization"], ["device"]]


# --- terminal


def test_text_fits_the_terminal(report: Report) -> None:
    text = to_text(report)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    # A Latin-1 terminal can show it.
    assert text.encode("latin-1")
    lines = text.splitlines()
    assert lines[0] == "Accuracy-drop report: MNIST test, 1,000 pictures"
    (heading,) = (line for line in lines if line.startswith("model"))
    assert heading.split("  ")[-1] == "file µs"
    # The verdict first, then what was measured where, then the table.
    assert lines.index("net: int8 loses 3.00 pp of accuracy") < lines.index("Measured on") < lines.index(heading)
    row = r"^net int8 on Laptop +97\.00 % +3\.00 \(2\.0\d to 4\.2\d\) +97\.00 % +9,000 +30\.0 +1,200$"
    assert re.search(row, text, re.M)
    assert "net: int8 loses 3.00 pp of accuracy" in text
    assert "1.5× slower than float TFLite there" in text
    assert "throttled now" in text


# --- Markdown


def unescaped(cell: str) -> str:
    text = cell.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return re.sub(r"\\(.)", r"\1", text)


def test_markdown_tables_are_whole_with_any_name(report: Report) -> None:
    text = to_markdown(report)
    tables = re.findall(r"(?:^\|.*\|\n)+", text, re.M)
    assert len(tables) >= 10
    for table in tables:
        columns = {len(re.split(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1, table
    assert "<script>" not in text
    assert text.index("loses 3.00 pp") < text.index("## Where and how") < text.index("## What was measured")
    summary = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in tables[1].splitlines()]
    assert unescaped(summary[6][0]) == f"{EVIL} int8 (int8 TFLite)"
    assert summary[4][3].startswith("**3.00** (2.")
    assert summary[3][3].startswith("0.00 (−0.")


def test_markdown_lists_only_the_first_changes_and_says_so(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "changed answers; report.json has all" not in to_markdown(report)
    monkeypatch.setattr(markdown, "MAX_CHANGES", 10)
    assert "The first 10 of 30 changed answers; report.json has all." in to_markdown(report)


# --- HTML


class Reader(HTMLParser):
    """Collects the tags, attributes and text of a page, and checks that its elements are nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return to_html(report)


def sources(page: str, kind: str) -> list[bytes]:
    """The images of a page that are of ``kind``, such as ``png``."""
    start = f"data:image/{kind};base64,"
    return [base64.b64decode(source.removeprefix(start)) for source in Reader(page).all("src") if start in source]


def test_page_needs_no_other_file(page: str) -> None:
    reader = Reader(page)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"https?://|@import|url\(", page)
    assert all(source.startswith("data:image/") for source in reader.all("src"))
    assert reader.all("href") == reader.all("srcset") == []
    ids = reader.all("id")
    assert len(ids) == len(set(ids))
    # Both themes define every colour that is used.
    light, dark = (set(re.findall(r"(--[\w-]+):", block)) for block in re.findall(r":root \{(.*?)\}", page, re.S)[:2])
    assert light == dark
    assert set(re.findall(r"var\((--[\w-]+)", page)) - {"--a", "--w", "--h"} <= light


def test_figures_refer_to_nothing_outside(page: str) -> None:
    for source in sources(page, "svg+xml"):
        attributes = [item for element in ElementTree.fromstring(source).iter() for item in element.attrib.items()]
        assert all(value.startswith("#") for name, value in attributes if name.endswith("href"))
        assert not [value for _, value in attributes if re.search(r"url\((?!#)", value)]


def test_page_shows_any_name_as_it_is(page: str) -> None:
    reader = Reader(page)
    assert f"{EVIL} int8" in "".join(reader.text)
    assert "<script" not in page
    assert any(EVIL in words for words in reader.all("alt"))
    # In the figures long names are wrapped.
    figures = ["".join(ElementTree.fromstring(source).itertext()) for source in sources(page, "svg+xml")]
    assert any("alert('$x$')" in text for text in figures)


def test_gallery_has_the_pictures_whose_answer_changed(page: str, report: Report) -> None:
    pictures = []
    for source in sources(page, "png"):
        with Image.open(io.BytesIO(source)) as image:
            pictures.append(np.asarray(image))
    changes = report.families[0].comparisons[0].changes
    assert len(pictures) == len(changes) == 30
    for picture, change in zip(pictures, changes, strict=True):
        assert change.pixels is not None
        np.testing.assert_array_equal(picture, 255 - change.pixels)
    assert f"no. {changes[0].index}" in page


def test_a_large_gallery_is_cut_and_the_page_says_so(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "MAX_GALLERY", 7)
    page = to_html(report)
    assert len(sources(page, "png")) == 7
    assert "The first 7 of 30; report.json lists all." in page


def test_only_differences_beyond_chance_are_coloured(make_evaluation: Make) -> None:
    def classes(wrong: int) -> list[str]:
        answers = [(label + (k < wrong)) % 10 for k, label in enumerate(LABELS)]
        report = compare([make_evaluation(LABELS, LABELS, "keras"), make_evaluation(LABELS, answers)])
        return Reader(to_html(report)).all("class")

    assert {"bad", "verdict bad"} <= set(classes(30))
    assert not {"bad", "good", "verdict bad", "verdict good"} & set(classes(3))


def test_page_says_what_was_measured(page: str) -> None:
    figures = ["".join(ElementTree.fromstring(source).itertext()) for source in sources(page, "svg+xml")]
    text = " ".join("".join([*Reader(page).text, *figures]).split())
    for words in (
        "Where the difference comes from: net Keras → net int8 on Raspberry Pi 4 Model B Rev 1.4",
        "throttled now",
        "ondemand, 51 → 63 °C",
        "loop median 102",
        "cold start, ms",
        "45.0 in a batch",
        "50 MB",
        "ECE",
    ):
        assert words in text
    assert "net int8 on Raspberry Pi 4 Model B Rev 1.4 as net int8 on Laptop" in text


@pytest.mark.parametrize(
    "given",
    [
        [("int8", [1, 2, 3])],
        [("keras", [1, 2, 3])],
        [("keras", [1, 2, 3]), ("int8", [1, 2, 3])],
        [("keras", [1, 2, 3]), ("int8", [9, 9, 9])],
        [("keras", [1, 2, 3]), ("int8", [1, 2, 9]), ("int8", [1, 9, 3])],
        [("float16", [1, 2, 3]), ("dynamic", [1, 2, 3])],
    ],
    ids=["int8-alone", "original-alone", "none-wrong", "all-wrong", "twice", "no-int8"],
)
def test_every_form_works_with_few_evaluations(given: list[tuple[str, list[int]]], make_evaluation: Make) -> None:
    report = compare(make_evaluation([1, 2, 3], row, scheme, confidence=1.0) for scheme, row in given)
    json.dumps(to_dict(report), allow_nan=False)
    assert "MNIST test, 3 pictures" in to_text(report)
    assert "| model |" in to_markdown(report)
    assert "How to read this" in "".join(Reader(to_html(report)).text)


def test_every_form_works_where_only_the_accuracy_was_measured(make_evaluation: Make) -> None:
    here = [make_evaluation(LABELS, LABELS, scheme, file_us=900) for scheme in ("keras", "float32", "int8")]
    emulated = make_evaluation(LABELS, LABELS, device={"name": "Cortex-A72, emulated"})
    emulated.latency.clear()
    report = compare([*here, Evaluation.from_dict(json.loads(json.dumps(emulated.to_dict())))])
    record = to_dict(report)["rows"][3]
    assert (record["p50_us"], record["file_p50_us"], record["latency_ratio"]) == (None, None, None)
    assert "net int8 on Cortex-A72, emulated: Cortex-A72, emulated, litert 2.3.0, 1 thread; accuracy only" in re.sub(
        r"\s+", " ", to_text(report)
    )
    assert "No time was measured" in to_markdown(report)
    assert "emulated" in "".join(Reader(to_html(report)).text)
    # And where nothing was timed at all.
    assert "Latency" in to_html(report)
    assert "<b>Latency</b>: median" not in to_html(compare([emulated]))


def test_every_form_says_whether_the_limit_is_kept(report: Report) -> None:
    gated = report.gated(0.5, by_point=False)
    assert [gate.outcome for gate in gated.gates] == ["within", "above", "above"]
    for form in (to_markdown(gated), "".join(Reader(to_html(gated)).text)):
        assert "above the limit of 0.50 pp" in form
    assert to_dict(gated)["gates"][1]["outcome"] == "above"
    assert {"verdict bad"} <= set(Reader(to_html(report.gated(50, by_point=False))).all("class"))
    assert to_dict(report)["gates"] == []


def test_a_picture_that_no_evaluation_has_leaves_a_gap(make_evaluation: Make) -> None:
    before, after = make_evaluation([1, 2], [1, 2], "keras"), make_evaluation([1, 2], [1, 9])
    after.pictures.clear()
    page = to_html(compare([before, after]))
    assert sources(page, "png") == []
    assert "missing" in Reader(page).all("class")


def test_the_same_evaluations_give_the_same_page(report: Report, page: str) -> None:
    assert to_html(report) == page


# --- files


def test_writing_leaves_three_files_and_nothing_else(report: Report, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    assert write(report, folder) == tuple(folder / f"report.{suffix}" for suffix in ("html", "md", "json"))
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "report.md"]
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == to_dict(report)
    assert (folder / "report.md").read_text(encoding="utf-8") == to_markdown(report)


def test_a_report_that_fails_leaves_the_former_one(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(report, tmp_path)
    former = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr("edge_digits.report.to_dict", lambda _report: {"accuracy": float("nan")})
    monkeypatch.setattr("edge_digits.report.to_markdown", lambda _report: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(report, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == former


def test_the_template_is_part_of_the_package() -> None:
    templates = files("edge_digits.report") / "templates"
    assert {item.name for item in templates.iterdir()} >= {"report.html.j2", "report.css"}
