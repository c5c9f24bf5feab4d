typedef struct {
    Shape input, output;
    Window window;
    Range range;
} AveragePool;

/* Means are rounded to whole numbers of -128 to 127, halves away from zero. */
static void average_pool(const uint8_t *input, const AveragePool *layer, uint8_t *output)
{
    const Window window = layer->window;
    const int depth = layer->input.channels, height = layer->input.height, width = layer->input.width;
    for (int row = 0; row < layer->output.height; row++)
        for (int column = 0; column < layer->output.width; column++)
            for (int c = 0; c < depth; c++) {
                int32_t sum = 0, count = 0;
                for (int y = row * window.stride_y - window.above, i = 0; i < window.height; i++, y++)
                    for (int x = column * window.stride_x - window.left, j = 0; j < window.width; j++, x++)
                        if (y >= 0 && y < height && x >= 0 && x < width) {
                            sum += input[(y * width + x) * depth + c] - 128;
                            count++;
                        }
                sum = (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
                *output++ = clamp(sum + 128, &layer->range);
            }
}
