typedef struct {
    Shape input, output; /* The output has a whole number of channels for each of the input. */
    Window window;
    uint8_t padding; /* What stands for 0 in the input. */
    Range range;
    const int8_t *weights; /* [row][column][output channel] */
    const Channel *channels;
} Depthwise;

static int32_t depthwise_sum(const uint8_t *input, const Depthwise *layer, int top, int left, int channel)
{
    const Window window = layer->window;
    const int depth = layer->input.channels, width = layer->input.width, outputs = layer->output.channels;
    const int from = channel / (outputs / depth);
    const int8_t *weight = layer->weights + channel;
    int32_t sum = 0;
    for (int row = 0; row < window.height; row++) {
        const int y = top + row * window.dilation_y;
        for (int column = 0; column < window.width; column++, weight += outputs) {
            const int x = left + column * window.dilation_x;
            if (y >= 0 && y < layer->input.height && x >= 0 && x < width)
                sum += (input[(y * width + x) * depth + from] - layer->padding) * *weight;
        }
    }
    return sum;
}

static void depthwise(const uint8_t *input, const Depthwise *layer, uint8_t *output)
{
    const Window window = layer->window;
    const Shape size = layer->output;
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++)
            for (int c = 0; c < size.channels; c++) {
                const int top = y * window.stride_y - window.above, left = x * window.stride_x - window.left;
                const int32_t sum = depthwise_sum(input, layer, top, left, c);
                *output++ = requantize(sum, &layer->channels[c], &layer->range);
            }
}
