/* @origin@ */
#include "self_test.h"

#include <string.h>

#include "digits.h"

static const uint8_t pictures[SELF_TEST_PICTURES][EDGE_DIGITS_PIXELS] = {
@pixels@
};
static const int8_t expected[SELF_TEST_PICTURES][EDGE_DIGITS_CLASSES] = {
@logits@
};

const uint8_t *self_test_picture(int number)
{
    return pictures[number];
}

int edge_digits_self_test(void)
{
    int wrong = 0;
    for (int i = 0; i < SELF_TEST_PICTURES; i++) {
        int8_t logits[EDGE_DIGITS_CLASSES];
        edge_digits_classify(pictures[i], logits);
        wrong += memcmp(logits, expected[i], sizeof logits) != 0;
    }
    return wrong;
}
