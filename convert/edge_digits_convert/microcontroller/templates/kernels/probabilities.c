int edge_digits_probabilities(const int8_t logits[EDGE_DIGITS_CLASSES], uint16_t probabilities[EDGE_DIGITS_CLASSES])
{
    int best = 0;
    for (int c = 1; c < EDGE_DIGITS_CLASSES; c++)
        if (logits[c] > logits[best])
            best = c;
    uint32_t sum = 0;
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++) {
        const int32_t distance = logits[best] - logits[c];
        probabilities[c] = distance < EXPONENTIALS ? exponentials[distance] : 0;
        sum += probabilities[c];
    }
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++)
        probabilities[c] = (uint16_t)((probabilities[c] * (uint32_t)EDGE_DIGITS_CERTAIN + sum / 2) / sum);
    uint32_t confidence = probabilities[best];
#if EDGE_DIGITS_TURNS
    /* A turn is right within EDGE_DIGITS_REACH tenths, 9.9 beside 0.0. */
    for (int step = 1; best < EDGE_DIGITS_TURNS && step <= EDGE_DIGITS_REACH; step++)
        confidence += probabilities[(best + step) % EDGE_DIGITS_TURNS] +
                      (uint32_t)probabilities[(best + EDGE_DIGITS_TURNS - step) % EDGE_DIGITS_TURNS];
#endif
    return confidence >= EDGE_DIGITS_MIN_CONFIDENCE;
}
