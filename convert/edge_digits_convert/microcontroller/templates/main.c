/* Classify pictures from standard input: EDGE_DIGITS_PIXELS bytes each. Prints for each the label, its probability in
 * percent, a ? where the answer is not sure, and the logits. With --self-test, checks the pictures of self_test.h. */
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "self_test.h"

static const char *const labels[] = EDGE_DIGITS_LABELS;

static void print_answer(const uint8_t *pixels)
{
    int8_t logits[EDGE_DIGITS_CLASSES];
    uint16_t probabilities[EDGE_DIGITS_CLASSES];
    const int answer = edge_digits_classify(pixels, logits);
    const int sure = edge_digits_probabilities(logits, probabilities);
    printf("%s %d%s", labels[answer], (probabilities[answer] * 100 + EDGE_DIGITS_CERTAIN / 2) / EDGE_DIGITS_CERTAIN,
           sure ? "" : "?");
    for (int c = 0; c < EDGE_DIGITS_CLASSES; c++)
        printf(" %d", logits[c]);
    putchar('\n');
}

int main(int count, char **arguments)
{
    if (count == 2 && strcmp(arguments[1], "--self-test") == 0) {
        const int wrong = edge_digits_self_test();
        printf("%d of %d test pictures have the expected logits\n", SELF_TEST_PICTURES - wrong, SELF_TEST_PICTURES);
        return wrong != 0;
    }
    if (count != 1) {
        fprintf(stderr, "usage: %s [--self-test] < pictures\n", arguments[0]);
        return 2;
    }
    uint8_t pixels[EDGE_DIGITS_PIXELS];
    size_t got;
    while ((got = fread(pixels, 1, sizeof pixels, stdin)) == sizeof pixels)
        print_answer(pixels);
    if (got != 0) {
        fprintf(stderr, "the last picture has %d bytes instead of %d\n", (int)got, EDGE_DIGITS_PIXELS);
        return 2;
    }
    return 0;
}
