int edge_digits_probabilities(const int8_t logits[EDGE_DIGITS_CLASSES], uint16_t probabilities[EDGE_DIGITS_CLASSES])
{
    int32_t largest = logits[0];
    for (int c = 1; c < EDGE_DIGITS_CLASSES; c++)
        if (logits[c] > largest)
            largest = logits[c];
    uint32_t sum = 0;
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++) {
        const int32_t distance = largest - logits[c];
        probabilities[c] = distance < EXPONENTIALS ? exponentials[distance] : 0;
        sum += probabilities[c];
    }
    int sure = 0;
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++) {
        probabilities[c] = (uint16_t)((probabilities[c] * (uint32_t)EDGE_DIGITS_CERTAIN + sum / 2) / sum);
        sure |= probabilities[c] >= EDGE_DIGITS_MIN_CONFIDENCE;
    }
    return sure;
}
