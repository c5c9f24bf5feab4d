/* Return sum * multiplier * 2^-31 * 2^-shift as TensorFlow Lite's reference kernels do, which round twice: the product
   with the multiplier to a whole number, halves up, then the division by 2^shift, halves away from zero. */
#if defined(__ARM_ARCH_6M__) || defined(EDGE_DIGITS_NO_LONG_MULTIPLICATION)
/* In pieces of 16 bits, for a processor that multiplies to 32 bits. Of a negative sum the size is taken; a half of its
   product then goes down instead of up, so one less is added before the bits that decide are dropped. */
static int32_t rescale(int32_t sum, int32_t multiplier, int32_t shift)
{
    const uint32_t size = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum, factor = (uint32_t)multiplier;
    const uint32_t low = (size & 0xFFFF) * (factor & 0xFFFF);
    const uint32_t middle = (low >> 16) + (size >> 16) * (factor & 0xFFFF) + (size & 0xFFFF) * (factor >> 16);
    const uint32_t less = sum < 0 && (low & 0xFFFF) == 0;
    const uint32_t product = 2 * (size >> 16) * (factor >> 16) + ((middle + 0x4000 - less) >> 15);
    const int32_t result = (int32_t)((product + (((uint32_t)1 << shift) >> 1)) >> shift);
    return sum < 0 ? -result : result;
}
#else
static int32_t rescale(int32_t sum, int32_t multiplier, int32_t shift)
{
    const int64_t half = (int64_t)1 << 30;
    const int32_t product = (int32_t)(((int64_t)sum * multiplier + half) >> 31);
    const int32_t mask = (int32_t)(((uint32_t)1 << shift) - 1);
    const int32_t threshold = (mask >> 1) + (product < 0);
    return (product >> shift) + ((product & mask) > threshold);
}
#endif

static inline uint8_t clamp(int32_t value, const Range *range)
{
    return (uint8_t)(value < range->low ? range->low : value > range->high ? range->high : value);
}

static inline uint8_t requantize(int32_t sum, const Channel *channel, const Range *range)
{
    sum += channel->bias;
    /* Half of all sums are negative and end at 0 (ReLU): these need no multiplication. */
    if (sum <= 0 && range->low >= range->zero)
        return range->low;
    return clamp(rescale(sum, channel->multiplier, channel->shift) + range->zero, range);
}
