typedef struct {
    Shape input;
    uint8_t padding; /* What stands for 0 in the input. */
    Range range;
    Channel scale; /* Of all channels; the number of pixels is in its multiplier. */
} Mean;

/* The mean of all pixels of each channel. */
static void mean(const uint8_t *input, const Mean *layer, uint8_t *output)
{
    const int depth = layer->input.channels, pixels = layer->input.height * layer->input.width;
    for (int c = 0; c < depth; c++) {
        int32_t sum = 0;
        for (int i = 0; i < pixels; i++)
            sum += input[i * depth + c] - layer->padding;
        output[c] = clamp(rescale(sum, layer->scale.multiplier, layer->scale.shift) + layer->range.zero, &layer->range);
    }
}
