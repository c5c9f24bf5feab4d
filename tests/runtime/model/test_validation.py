"""Each thing that does not fit in a model is found: every case changes one thing of a good model."""

import dataclasses
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edge_digits_runtime.errors import ModelError
from edge_digits_runtime.model import registry, schema, trial, validation
from edge_digits_runtime.model.backends import choose
from edge_digits_runtime.model.operator_rules import RULES, Step
from edge_digits_runtime.model.schema import Model, Operator

MODELS = Path(__file__).parents[1] / "models"
KNOWN = ["known-int8", "known-float32", "known-float16", "known-dynamic"]
INF, NAN = float("inf"), float("nan")


def load(name: str) -> Model:
    return schema.read((MODELS / f"{name}.tflite").read_bytes())


def with_operator(model: Model, name: str, change: Callable[[Operator], Operator]) -> Model:
    """The model with its first operator of that name changed."""
    graph = model.graphs[0]
    index = next(operator.index for operator in graph.operators if operator.name == name)
    operators = tuple(change(operator) if operator.index == index else operator for operator in graph.operators)
    return dataclasses.replace(model, graphs=(dataclasses.replace(graph, operators=operators),))


def with_tensor(model: Model, name: str, end: str, place: int, **fields: Any) -> Model:
    """The model with one tensor changed: an input or output of the first operator of that name."""
    graph = model.graphs[0]
    operator = next(operator for operator in graph.operators if operator.name == name)
    number = getattr(operator, end)[place]
    tensors = tuple(
        dataclasses.replace(tensor, **fields) if tensor.index == number else tensor for tensor in graph.tensors
    )
    return dataclasses.replace(model, graphs=(dataclasses.replace(graph, tensors=tensors),))


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.stem)
def test_good_models_fit(path: Path) -> None:
    unchecked = {"refused-nan": ("LOG",), "refused-sizes": ("GREATER", "WHERE", "GATHER_ND")}
    assert validation.check(schema.read(path.read_bytes())) == unchecked.get(path.stem, ())


def test_models_that_ship_fit() -> None:
    for path in (*registry.paths().values(), *registry.line_paths().values()):
        assert validation.check(schema.read(path.read_bytes())) == ()


def test_every_rule_is_used_by_a_good_model() -> None:
    """A rule that refuses all would be seen by nobody."""
    found = {operator.name for path in MODELS.glob("*.tflite") for operator in load(path.stem).graphs[0].operators}
    # Converters fuse RELU into what is before it; its rule is that of RELU6.
    assert set(RULES) - found == {"RELU"}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("CONV_2D", {"padding": 2}, "option padding is 2"),
        ("CONV_2D", {"padding": 1}, "but it computes"),
        ("CONV_2D", {"stride_w": 0}, "option stride_w is 0"),
        ("CONV_2D", {"stride_h": -1}, "option stride_h is -1"),
        ("CONV_2D", {"stride_h": 2**31 - 1}, "option stride_h is 2147483647"),
        ("CONV_2D", {"dilation_h_factor": 0}, "option dilation_h_factor is 0"),
        ("CONV_2D", {"dilation_w_factor": 2**30}, "option dilation_w_factor is 1073741824"),
        ("CONV_2D", {"fused_activation_function": 9}, "option fused_activation_function is 9"),
        ("DEPTHWISE_CONV_2D", {"depth_multiplier": 3}, "its weights are"),
        ("DEPTHWISE_CONV_2D", {"stride_w": 5}, "but it computes"),
        ("FULLY_CONNECTED", {"keep_num_dims": True, "fused_activation_function": 7}, "fused_activation_function is 7"),
        ("MAX_POOL_2D", {"filter_width": 0}, "option filter_width is 0"),
        ("MAX_POOL_2D", {"filter_height": 900}, "its window is"),
        ("AVERAGE_POOL_2D", {"stride_w": 0}, "option stride_w is 0"),
        ("SOFTMAX", {"beta": NAN}, "option beta is nan"),
        ("SOFTMAX", {"beta": -1.0}, "option beta is -1"),
        ("SOFTMAX", {"beta": INF}, "option beta is inf"),
        ("LEAKY_RELU", {"alpha": NAN}, "option alpha is nan"),
        ("ADD", {"fused_activation_function": -1}, "fused_activation_function is -1"),
        ("CONCATENATION", {"axis": 4}, "option axis is 4"),
        ("CONCATENATION", {"axis": 0}, "but it computes"),
        ("MEAN", {"keep_dims": False}, "but it computes"),
        ("STRIDED_SLICE", {"shrink_axis_mask": 15}, "it takes number 0 of 1"),
    ],
)
@pytest.mark.parametrize("model", ["known-int8", "known-float32"])
def test_an_option_that_does_not_fit_is_refused(model: str, name: str, options: dict[str, Any], words: str) -> None:
    def change(operator: Operator) -> Operator:
        return dataclasses.replace(operator, options={**operator.options, **options})

    with pytest.raises(ModelError, match=f"{name}: .*{words}"):
        validation.check(with_operator(load(model), name, change))


@pytest.mark.parametrize("name", sorted(set(RULES) - {"RELU", "DEQUANTIZE", "QUANTIZE", "DIV", "SUM", "RESHAPE"}))
def test_operators_with_other_inputs_are_refused(name: str) -> None:
    for inputs in ((), (-1,), (0, 0, 0, 0, 0, 0)):
        model = with_operator(load("known-int8"), name, lambda op, i=inputs: dataclasses.replace(op, inputs=i))  # type: ignore[misc]
        with pytest.raises(ModelError, match=f"operator \\d+, {name}"):
            validation.check(model)
    missing = with_operator(load("known-int8"), name, lambda op: dataclasses.replace(op, outputs=()))
    with pytest.raises(ModelError):
        validation.check(missing)


@pytest.mark.parametrize(
    "name", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "SOFTMAX", "ADD", "CONCATENATION", "MEAN"]
)
def test_options_of_another_operator_are_refused(name: str) -> None:
    model = with_operator(load("known-int8"), name, lambda op: dataclasses.replace(op, options={}, options_type=99))
    with pytest.raises(ModelError, match=f"{name}: its options are missing"):
        validation.check(model)


@pytest.mark.parametrize(
    ("end", "place", "fields", "words"),
    [
        ("inputs", 1, {"shape": (4, 3, 3, 2)}, "bytes, and its shape takes"),
        ("inputs", 1, {"shape": (4, 0, 3, 1)}, "has the shape"),
        ("inputs", 1, {"shape": (4, -3, -3, 1)}, "has the shape"),
        ("inputs", 1, {"shape": (3, 3, 4, 1)}, "has 4 scales"),
        ("inputs", 1, {"shape": (36,)}, "has 4 scales"),
        ("inputs", 1, {"scales": (0.1,) * 3}, "has 3 scales"),
        ("inputs", 1, {"scales": (NAN,) * 4}, "has a scale of 0, below 0"),
        ("inputs", 1, {"scales": (1.0, 1.0, 1.0, -1.0)}, "has a scale of 0, below 0"),
        ("inputs", 1, {"scales": (1e29,) * 4}, "its scales are .* apart"),
        ("inputs", 1, {"zero_points": (1,) * 4}, "its weights have a zero point"),
        ("inputs", 1, {"zero_points": ()}, "zero points"),
        ("inputs", 1, {"axis": 3}, "scales"),
        ("inputs", 1, {"axis": -1}, "scales"),
        ("inputs", 1, {"data": memoryview(b"")}, "before it is written"),
        ("inputs", 1, {"type": "UINT8", "zero_points": (0,) * 4}, None),
        ("inputs", 2, {"shape": (2, 2)}, "has 4 scales"),
        ("outputs", 0, {"scales": (0.0,)}, "has a scale of 0"),
        ("outputs", 0, {"scales": (INF,)}, "has a scale of 0, below 0"),
        ("outputs", 0, {"scales": (1e-29,)}, "its scales are .* apart"),
        ("outputs", 0, {"zero_points": (-129,)}, "zero point that is no INT8"),
        ("outputs", 0, {"scales": (), "zero_points": ()}, "has 0 scales"),
        ("outputs", 0, {"shape": (1, 1 << 15, 1 << 15, 4)}, "its tensors take"),
        ("outputs", 0, {"shape": (1, 14, 14, 4)}, "but it computes"),
        ("outputs", 0, {"shape": (1,) * 7}, "has the shape"),
        ("outputs", 0, {"type": "INT16", "zero_points": (0,)}, None),
        ("outputs", 0, {"special": "sparsity"}, None),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(end: str, place: int, fields: dict[str, Any], words: str | None) -> None:
    """None where nobody can say: such a model runs only if it is asked for."""
    model = with_tensor(load("known-int8"), "CONV_2D", end, place, **fields)
    if words is None:
        assert validation.check(model)
        return
    with pytest.raises(ModelError, match=words):
        validation.check(model)


@pytest.mark.parametrize("name", KNOWN)
def test_a_tensor_is_written_once_and_before_it_is_read(name: str) -> None:
    model = load(name)
    graph = model.graphs[0]
    backwards = dataclasses.replace(graph, operators=tuple(reversed(graph.operators)))
    no_end = dataclasses.replace(graph, outputs=())
    same_ends = dataclasses.replace(graph, outputs=graph.inputs)
    constant = next(tensor.index for tensor in graph.tensors if tensor.constant)
    wrong = (
        backwards,
        no_end,
        same_ends,
        dataclasses.replace(graph, outputs=(constant,)),
        dataclasses.replace(graph, inputs=(constant,)),
        dataclasses.replace(graph, inputs=()),
        dataclasses.replace(graph, operators=graph.operators[:-1]),
        dataclasses.replace(graph, operators=(*graph.operators, graph.operators[-1])),
    )
    for other in wrong:
        with pytest.raises(ModelError, match=r"before it is written|is written twice|never written|its inputs are"):
            validation.check(dataclasses.replace(model, graphs=(other,)))


def test_a_model_that_would_take_minutes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    macs = sum(map(_macs, load("foreign-single").graphs[0].operators))
    assert macs == 7 * 7 * 16 * 4 + 3 * 3 * 9 * 4 * 6 + 9 * 6 * 10
    monkeypatch.setattr(validation, "MOST_MACS", macs)
    validation.check(load("foreign-single"))
    monkeypatch.setattr(validation, "MOST_MACS", macs - 1)
    with pytest.raises(ModelError, match="multiplications for a picture"):
        validation.check(load("foreign-single"))


def _macs(operator: Operator) -> int:
    step = Step(operator, load("foreign-single").graphs[0].tensors)
    step.check()
    return step.macs


def test_what_nobody_can_check_is_named() -> None:
    model = load("known-int8")
    assert validation.check(dataclasses.replace(model, version=4)) == ("version 4 of the format",)
    assert validation.check(dataclasses.replace(model, special="external_buffers")) == ("external_buffers",)
    order = {"model_control_dependencies": memoryview(b"")}
    assert validation.check(dataclasses.replace(model, metadata=order)) == ("model_control_dependencies",)
    assert validation.check(dataclasses.replace(model, graphs=model.graphs * 2)) == ("more than one graph",)
    custom = with_operator(model, "SOFTMAX", lambda op: dataclasses.replace(op, name="CUSTOM", custom="x"))
    assert validation.check(custom) == ("CUSTOM",)
    odd = with_operator(model, "SOFTMAX", lambda op: dataclasses.replace(op, special="intermediates"))
    assert validation.check(odd) == ("SOFTMAX with intermediates",)


def tanh(content: bytes) -> Operator:
    try:
        operators = schema.read(content).graphs[0].operators
    except ModelError:
        # -1 is no number of an output.
        return Operator(0, "", 0, "", (), (), {}, 0, "")
    return next(operator for operator in operators if operator.name == "TANH")


def test_a_model_that_kills_its_process_is_found_in_another() -> None:
    """LiteRT follows the input -1 of an operator whose inputs are not optional."""
    content = (MODELS / "known-float32.tflite").read_bytes()
    vector = struct.pack("<Ii", 1, tanh(content).inputs[0])
    places = [at for at in range(len(content)) if content.startswith(vector, at)]
    cut = len(vector)
    others = [content[:at] + struct.pack("<Ii", 1, -1) + content[at + cut :] for at in places]
    (killing,) = [other for other in others if tanh(other).inputs == (-1,)]
    with pytest.raises(ModelError, match="TANH: it has 1 inputs and 1 outputs"):
        validation.check(schema.read(killing))
    if choose().name == "litert":
        with pytest.raises(ModelError, match=r"^bad: this model kills the process that runs it \(signal 11\)$"):
            trial.run(killing, "bad", choose())
    else:
        # tflite-runtime 2.14 takes it for an input that is not there, and goes on.
        trial.run(killing, "bad", choose())
    trial.run(content, "good", choose())


@pytest.mark.parametrize("model", KNOWN)
def test_shapes_are_looked_at_where_nothing_else_of_a_tensor_can_be(model: str) -> None:
    """The rules of the operators count on shapes, also those of tensors that nothing else is known of."""
    known = load(model)
    for operator in known.graphs[0].operators:
        for end in ("inputs", "outputs"):
            for place, index in enumerate(getattr(operator, end)):
                if index < 0:
                    continue
                shape = known.graphs[0].tensors[index].shape
                for wrong in ((0, *shape[1:]), (*shape[:-1], 0), (*shape[:-1], -1), (0,) * 4):
                    for fields in ({"type": "COMPLEX64"}, {"special": "sparsity"}, {}):
                        changed = with_tensor(known, operator.name, end, place, shape=wrong, **fields)
                        with pytest.raises(ModelError):
                            validation.check(changed)
