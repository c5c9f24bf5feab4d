int edge_digits_classify(const uint8_t pixels[EDGE_DIGITS_PIXELS], int8_t logits[EDGE_DIGITS_CLASSES])
{
    uint8_t *const at = (uint8_t *)buffer;
@calls@
    int best = 0;
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++) {
        logits[c] = (int8_t)(at[@result@ + c] - 128);
        if (logits[c] > logits[best])
            best = c;
    }
    return best;
}
