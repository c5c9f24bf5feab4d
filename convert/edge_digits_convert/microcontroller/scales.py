"""Scales as whole numbers, exactly as TensorFlow Lite computes them when it prepares a model."""

import math

import numpy as np


def product_scale(source: float, weights: float, result: float, single: bool) -> float:
    """Return the factor from a sum of products to the output.

    Args:
        source: scale of the input.
        weights: scale of the weights of one channel.
        result: scale of the output.
        single: multiply in float32, as ``FULLY_CONNECTED`` does if all its weights have one scale.
    """
    product = float(np.float32(source) * np.float32(weights)) if single else source * weights
    return product / result


def quantize_multiplier(scale: float) -> tuple[int, int]:
    """Return ``(multiplier, shift)`` such that ``scale`` is about ``multiplier * 2**-31 * 2**-shift``.

    Args:
        scale: positive and finite.

    Returns:
        A multiplier from 2**30 up to 2**31 - 1, and the shift to the right, negative where ``scale`` is 1 or more;
        ``(0, 0)`` where the scale is below 2**-32.

    Example:
        >>> quantize_multiplier(0.75)
        (1610612736, 0)
        >>> quantize_multiplier(0.001)
        (1099511628, 9)
    """
    fraction, exponent = math.frexp(scale)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = 2**30, exponent + 1
    if exponent < -31:
        return 0, 0
    return multiplier, -exponent


def quantize_limit(limit: float, scale: float, zero: int) -> int:
    """Return what stands for a limit of an activation function, from 0 to 255.

    Args:
        limit: the limit; infinite for none.
        scale: scale of the result.
        zero: what stands for 0.

    Example:
        >>> quantize_limit(6.0, 0.03, 10), quantize_limit(6.0, 0.02, 10), quantize_limit(float("-inf"), 0.02, 10)
        (210, 255, 0)
    """
    if math.isinf(limit):
        return 255 if limit > 0 else 0
    quotient = float(np.float32(limit) / np.float32(scale))
    rounded = math.copysign(math.floor(abs(quotient) + 0.5), quotient)
    return int(max(0, min(255, zero + rounded)))
