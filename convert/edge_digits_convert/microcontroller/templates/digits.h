/* @summary@
 *
@facts@ *
 * @memory@
 */
#ifndef EDGE_DIGITS_H
#define EDGE_DIGITS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDGE_DIGITS_HEIGHT @height@
#define EDGE_DIGITS_WIDTH @width@
#define EDGE_DIGITS_PIXELS (EDGE_DIGITS_HEIGHT * EDGE_DIGITS_WIDTH)
#define EDGE_DIGITS_CLASSES @classes@

/* Names of the classes in UTF-8: static const char *const names[] = EDGE_DIGITS_LABELS; */
#define EDGE_DIGITS_LABELS \
    { @labels@ }

/* So many of the first classes are turns of a wheel in tenths, 0.0 to 9.9, on a circle; 0 if there are none. */
#define EDGE_DIGITS_TURNS @turns@
/* The confidence of a turn is the probability of all that are so many tenths from it or nearer. */
#define EDGE_DIGITS_REACH @reach@

/* A probability of 1. */
#define EDGE_DIGITS_CERTAIN 32768
/* An answer with a probability below it is not sure: @min_confidence@. */
#define EDGE_DIGITS_MIN_CONFIDENCE @min_confidence_units@

/* Say what a picture shows.
 *
 * pixels: grey values row by row, @pixels@
 * logits: where a number for each class goes: the larger, the likelier. One step is @logit_scale@.
 *
 * Returns the class with the largest logit, from 0 to EDGE_DIGITS_CLASSES - 1. Uses one static buffer, so two calls
 * must not run at the same time. */
int edge_digits_classify(const uint8_t pixels[EDGE_DIGITS_PIXELS], int8_t logits[EDGE_DIGITS_CLASSES]);

/* Turn logits into probabilities in units of 1/EDGE_DIGITS_CERTAIN, calibrated with a temperature of @temperature@.
 *
 * Returns 1 if the confidence of the answer, which is its probability, is at least EDGE_DIGITS_MIN_CONFIDENCE: a sure
 * answer; and 0 if not. */
int edge_digits_probabilities(const int8_t logits[EDGE_DIGITS_CLASSES], uint16_t probabilities[EDGE_DIGITS_CLASSES]);

#ifdef __cplusplus
}
#endif

#endif
