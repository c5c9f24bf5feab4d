typedef struct {
    Shape input, output;
    Window window;
    uint8_t padding; /* What stands for 0 in the input. */
    Range range;
    const int8_t *weights; /* [output channel][row][column][input channel] */
    const Channel *channels;
} Convolution;

/* Copy word by word where both are aligned; memcpy is no call then. */
static inline uint8_t *copy(uint8_t *to, const uint8_t *from, int count)
{
    if ((((uintptr_t)to | (uintptr_t)from) & 3) == 0)
        for (; count >= 4; count -= 4, to += 4, from += 4)
            memcpy(__builtin_assume_aligned(to, 4), __builtin_assume_aligned(from, 4), 4);
    for (; count > 0; count--)
        *to++ = *from++;
    return to;
}

static inline uint8_t *pad(uint8_t *to, uint8_t value, int count)
{
    for (; count > 0; count--)
        *to++ = value;
    return to;
}

/* Write what the window covers to `patch`, row by row; beside the picture is padding. */
static void gather(const uint8_t *input, const Convolution *layer, int top, int left, uint8_t *patch)
{
    const Window *const window = &layer->window;
    const int depth = layer->input.channels, width = layer->input.width, height = layer->input.height;
    const int step = window->dilation_x;
    const int columns = step == 1 ? window->width : 1; /* That lie side by side in the picture. */
    for (int row = 0, y = top; row < window->height; row++, y += window->dilation_y)
        for (int column = 0, x = left; column < window->width; column += columns, x += step) {
            const int from = x < 0 ? 0 : x, to = x + columns > width ? width : x + columns;
            if (y < 0 || y >= height || from >= to) {
                patch = pad(patch, layer->padding, columns * depth);
                continue;
            }
            patch = pad(patch, layer->padding, (from - x) * depth);
            patch = copy(patch, input + (y * width + from) * depth, (to - from) * depth);
            patch = pad(patch, layer->padding, (x + columns - to) * depth);
        }
}

static void convolution(const uint8_t *input, const Convolution *layer, uint8_t *patch, uint8_t *output)
{
    const Window *const window = &layer->window;
    const Shape size = layer->output;
    const int count = window->height * window->width * layer->input.channels;
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++, output += size.channels) {
            gather(input, layer, y * window->stride_y - window->above, x * window->stride_x - window->left, patch);
            dense(patch, layer->weights, count, layer->channels, size.channels, &layer->range, output);
        }
}
