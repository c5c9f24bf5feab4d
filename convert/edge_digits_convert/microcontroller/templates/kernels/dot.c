/* Sums of products of a row of activations with rows of weights. */

static int32_t dot(const uint8_t *values, const int8_t *weights, int count)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] * weights[i];
    return sum;
}

/* One result per output channel: weights holds `channels` rows of `count`. */
static void dense(const uint8_t *values, const int8_t *weights, int count, const Channel *channel, int channels,
                  Range range, uint8_t *output)
{
    for (int c = 0; c < channels; c++, weights += count)
        output[c] = requantize(dot(values, weights, count) + channel[c].bias, &channel[c], range);
}
