typedef struct {
    Shape input, output;
    Window window;
    Range range;
} MaxPool;

static void max_pool(const uint8_t *input, const MaxPool *layer, uint8_t *output)
{
    const Window window = layer->window;
    const int depth = layer->input.channels, height = layer->input.height, width = layer->input.width;
    for (int row = 0; row < layer->output.height; row++)
        for (int column = 0; column < layer->output.width; column++)
            for (int c = 0; c < depth; c++) {
                uint8_t largest = 0;
                for (int y = row * window.stride_y - window.above, i = 0; i < window.height; i++, y++)
                    for (int x = column * window.stride_x - window.left, j = 0; j < window.width; j++, x++)
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            const uint8_t value = input[(y * width + x) * depth + c];
                            if (value > largest)
                                largest = value;
                        }
                *output++ = clamp(largest, &layer->range);
            }
}
