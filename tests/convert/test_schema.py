"""The reader of the runtime says what the schema says that LiteRT was built from."""

import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as generated
from edge_digits_runtime.model import operator_names, schema
from edge_digits_runtime.model.registry import DEFAULT_MODEL

FOLDER = Path(__file__).parents[1] / "runtime" / "models"
FILES = [DEFAULT_MODEL, *sorted(FOLDER.glob("*.tflite"))]


def constants(holder: type) -> dict[int, str]:
    return {value: name for name, value in vars(holder).items() if isinstance(value, int)}


def plain(value: object) -> object:
    """Values as tuples and numbers, whatever nothing is written as."""
    if value is None:
        return ()
    return tuple(np.asarray(value).tolist()) if isinstance(value, list | np.ndarray | tuple) else value


def camel(name: str) -> str:
    """``dilation_w_factor`` as ``dilationWFactor``."""
    return re.sub("_(.)", lambda match: match[1].upper(), name)


def test_the_names_are_those_of_the_schema() -> None:
    assert dict(enumerate(operator_names.OPERATORS)) == constants(generated.BuiltinOperator)
    assert dict(enumerate(operator_names.TYPES)) == constants(generated.TensorType)


@pytest.mark.parametrize("name", sorted(schema.OPTIONS))
def test_options_have_the_fields_of_the_schema(name: str) -> None:
    number, fields = schema.OPTIONS[name]
    options = getattr(generated, f"{constants(generated.BuiltinOptions)[number]}T")()
    defaults = {key: plain(value) for key, value in vars(options).items()}
    listed = {camel(field): (plain(()) if kind == "[i]" else float(kind[1:] or 0)) for field, kind in fields.values()}
    # Later versions have more; what is listed has the same default.
    assert (
        listed.items()
        <= {key: value if isinstance(value, tuple) else float(value) for key, value in defaults.items()}.items()
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_models_read_as_the_schema_reads_them(file: Path) -> None:
    content = file.read_bytes()
    ours, theirs = schema.read(content), generated.ModelT.InitFromObj(generated.Model.GetRootAs(content, 0))
    assert ours.special == ""
    assert [name.encode() for name in ours.metadata] == [entry.name for entry in theirs.metadata or ()]
    for graph, expected in zip(ours.graphs, theirs.subgraphs, strict=True):
        assert (graph.inputs, graph.outputs) == (plain(expected.inputs), plain(expected.outputs))
        for tensor, other in zip(graph.tensors, expected.tensors, strict=True):
            quantization = other.quantization or generated.QuantizationParametersT()
            data = theirs.buffers[other.buffer].data
            assert (tensor.name, tensor.shape) == ((other.name or b"").decode(), plain(other.shape))
            assert operator_names.TYPES.index(tensor.type) == other.type
            assert bytes(tensor.data) == (b"" if data is None else data.tobytes())
            assert (tensor.scales, tensor.zero_points) == (plain(quantization.scale), plain(quantization.zeroPoint))
            assert tensor.axis == quantization.quantizedDimension
        for operator, other in zip(graph.operators, expected.operators, strict=True):
            code = theirs.operatorCodes[other.opcodeIndex]
            assert (operator_names.OPERATORS.index(operator.name), operator.version) == (code.builtinCode, code.version)
            assert (operator.inputs, operator.outputs) == (plain(other.inputs), plain(other.outputs))
            for name, value in operator.options.items():
                assert plain(getattr(other.builtinOptions, camel(name))) == value
