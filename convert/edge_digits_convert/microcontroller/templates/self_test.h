/* Pictures with the logits that they must give. */
#ifndef EDGE_DIGITS_SELF_TEST_H
#define EDGE_DIGITS_SELF_TEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SELF_TEST_PICTURES @pictures@

/* Returns how many of the pictures give other logits; 0 if all is well. */
int edge_digits_self_test(void);

/* Returns the pixels of picture `number`, from 0 to SELF_TEST_PICTURES - 1. */
const uint8_t *self_test_picture(int number);

#ifdef __cplusplus
}
#endif

#endif
