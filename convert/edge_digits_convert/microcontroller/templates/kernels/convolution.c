typedef struct {
    Shape input, output;
    Window window;
    uint8_t padding; /* What stands for 0 in the input. */
    Range range;
    const int8_t *weights; /* [output channel][row][column][input channel] */
    const Channel *channels;
} Convolution;

/* Write what the window covers to `patch`, row by row; beside the picture is padding. */
static void gather(const uint8_t *input, const Convolution *layer, int top, int left, uint8_t *patch)
{
    const Window window = layer->window;
    const int depth = layer->input.channels, width = layer->input.width;
    for (int row = 0; row < window.height; row++) {
        const int y = top + row * window.dilation_y;
        const int inside = y >= 0 && y < layer->input.height;
        for (int column = 0; column < window.width; column++, patch += depth) {
            const int x = left + column * window.dilation_x;
            if (inside && x >= 0 && x < width)
                memcpy(patch, input + (y * width + x) * depth, (size_t)depth);
            else
                memset(patch, layer->padding, (size_t)depth);
        }
    }
}

static void convolution(const uint8_t *input, const Convolution *layer, uint8_t *patch, uint8_t *output)
{
    const Window window = layer->window;
    const Shape size = layer->output;
    const int count = window.height * window.width * layer->input.channels;
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++, output += size.channels) {
            gather(input, layer, y * window.stride_y - window.above, x * window.stride_x - window.left, patch);
            dense(patch, layer->weights, count, layer->channels, size.channels, layer->range, output);
        }
}
