/* Scale a sum of products. TensorFlow Lite's reference kernels round twice: the product with the multiplier to a whole
   number, halves up, then the division by a power of two, halves away from zero. */
static int32_t rescale(int32_t sum, int32_t multiplier, int32_t shift)
{
    const int64_t half = (int64_t)1 << 30;
    const int32_t product = (int32_t)(((int64_t)sum * multiplier + half) >> 31);
    const int32_t mask = (int32_t)(((uint32_t)1 << shift) - 1);
    const int32_t threshold = (mask >> 1) + (product < 0);
    return (product >> shift) + ((product & mask) > threshold);
}

static uint8_t clamp(int32_t value, Range range)
{
    return (uint8_t)(value < range.low ? range.low : value > range.high ? range.high : value);
}

static uint8_t requantize(int32_t sum, const Channel *channel, Range range)
{
    /* Half of all sums are negative and end at 0 (ReLU): these need no multiplication. */
    if (sum <= 0 && range.low >= range.zero)
        return range.low;
    return clamp(rescale(sum, channel->multiplier, channel->shift) + range.zero, range);
}
