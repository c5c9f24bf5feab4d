"""The fields of the tables of a TFLite flatbuffer, by their numbers in TensorFlow's ``schema.fbs``.

Listed is what an interpreter reads of a model of known operators, and what a model must not have. `Fields` says how to
read the lists.
"""

from collections.abc import Mapping

from edge_digits_runtime.model.flatbuffer import Fields

_CONV: Fields = {
    0: ("padding", "b"),
    1: ("stride_w", "i"),
    2: ("stride_h", "i"),
    3: ("fused_activation_function", "b"),
    4: ("dilation_w_factor", "i1"),
    5: ("dilation_h_factor", "i1"),
    6: ("quantized_bias_type", "b"),
}
_DEPTHWISE: Fields = _CONV | {
    3: ("depth_multiplier", "i"),
    4: ("fused_activation_function", "b"),
    5: ("dilation_w_factor", "i1"),
    6: ("dilation_h_factor", "i1"),
}
_POOL: Fields = {
    0: ("padding", "b"),
    1: ("stride_w", "i"),
    2: ("stride_h", "i"),
    3: ("filter_width", "i"),
    4: ("filter_height", "i"),
    5: ("fused_activation_function", "b"),
}
_DENSE: Fields = {
    0: ("fused_activation_function", "b"),
    1: ("weights_format", "b"),
    2: ("keep_num_dims", "?"),
    3: ("asymmetric_quantize_inputs", "?"),
    4: ("quantized_bias_type", "b"),
}
_SLICE: Fields = {
    0: ("begin_mask", "i"),
    1: ("end_mask", "i"),
    2: ("ellipsis_mask", "i"),
    3: ("new_axis_mask", "i"),
    4: ("shrink_axis_mask", "i"),
    5: ("offset", "?"),
}
_ADD: Fields = {0: ("fused_activation_function", "b"), 1: ("pot_scale_int16", "?1")}
_ACTIVATION: Fields = {0: ("fused_activation_function", "b")}
OPTIONS: Mapping[str, tuple[int, Fields]] = {
    "CONV_2D": (1, _CONV),
    "DEPTHWISE_CONV_2D": (2, _DEPTHWISE),
    "AVERAGE_POOL_2D": (5, _POOL),
    "MAX_POOL_2D": (5, _POOL),
    "FULLY_CONNECTED": (8, _DENSE),
    "SOFTMAX": (9, {0: ("beta", "f")}),
    "CONCATENATION": (10, {0: ("axis", "i"), 1: ("fused_activation_function", "b")}),
    "ADD": (11, _ADD),
    "RESHAPE": (17, {0: ("new_shape", "[i]")}),
    "MUL": (21, _ACTIVATION),
    "PAD": (22, {}),
    "TRANSPOSE": (26, {}),
    "MEAN": (27, {0: ("keep_dims", "?")}),
    "SUM": (27, {0: ("keep_dims", "?")}),
    "SUB": (28, _ADD),
    "DIV": (29, _ACTIVATION),
    "STRIDED_SLICE": (32, _SLICE),
    "DEQUANTIZE": (38, {}),
    "LEAKY_RELU": (75, {0: ("alpha", "f")}),
    "QUANTIZE": (89, {}),
    "HARD_SWISH": (91, {}),
}
"""By name of an operator: the number of its options in the union ``BuiltinOptions``, and their fields. Operators that
are not listed have their options left unread."""

_QUANTIZATION: Fields = {
    0: ("min", "[f]"),
    1: ("max", "[f]"),
    2: ("scale", "[f]"),
    3: ("zero_point", "[q]"),
    4: ("details_type", "B"),
    6: ("quantized_dimension", "i"),
}
_TENSOR: Fields = {
    0: ("shape", "[i]"),
    1: ("type", "b"),
    2: ("buffer", "I"),
    3: ("name", "string"),
    4: ("quantization", _QUANTIZATION),
    5: ("is_variable", "?"),
    6: ("sparsity", {}),
    7: ("shape_signature", "[i]"),
    9: ("variant_tensors", [{}]),
    10: ("external_buffer", "I"),
}
_OPERATOR: Fields = {
    0: ("opcode_index", "I"),
    1: ("inputs", "[i]"),
    2: ("outputs", "[i]"),
    3: ("builtin_options_type", "B"),
    4: ("builtin_options", "union"),
    5: ("custom_options", "bytes"),
    7: ("mutating_variable_inputs", "[?]"),
    8: ("intermediates", "[i]"),
    9: ("large_custom_options_offset", "Q"),
    11: ("builtin_options_2_type", "B"),
}
_CODE: Fields = {
    0: ("deprecated_builtin_code", "b"),
    1: ("custom_code", "string"),
    2: ("version", "i1"),
    3: ("builtin_code", "i"),
}
_GRAPH: Fields = {
    0: ("tensors", [_TENSOR]),
    1: ("inputs", "[i]"),
    2: ("outputs", "[i]"),
    3: ("operators", [_OPERATOR]),
    4: ("name", "string"),
}
_TENSOR_MAP: Fields = {0: ("name", "string"), 1: ("tensor_index", "I")}
_SIGNATURE: Fields = {
    0: ("inputs", [_TENSOR_MAP]),
    1: ("outputs", [_TENSOR_MAP]),
    2: ("signature_key", "string"),
    4: ("subgraph_index", "I"),
}
MODEL: Fields = {
    0: ("version", "I"),
    1: ("operator_codes", [_CODE]),
    2: ("subgraphs", [_GRAPH]),
    3: ("description", "string"),
    4: ("buffers", [{0: ("data", "bytes"), 1: ("offset", "Q"), 2: ("size", "Q")}]),
    5: ("metadata_buffer", "[i]"),
    6: ("metadata", [{0: ("name", "string"), 1: ("buffer", "I")}]),
    7: ("signature_defs", [_SIGNATURE]),
    8: ("external_buffer_groups", [{}]),
    9: ("external_buffers", [{}]),
}
