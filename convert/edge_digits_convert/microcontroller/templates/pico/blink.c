/* Classifies the pictures of the self-test and blinks: as many times as the class has a number, then a pause. Put what
 * your camera or sensor gives in place of self_test_picture. The light is that of a Pico without wireless. */
#include <stdio.h>

#include "digits.h"
#include "pico/stdlib.h"
#include "self_test.h"

static const char *const labels[] = EDGE_DIGITS_LABELS;

static void blink(int times)
{
    for (int i = 0; i < times; i++) {
        gpio_put(PICO_DEFAULT_LED_PIN, 1);
        sleep_ms(150);
        gpio_put(PICO_DEFAULT_LED_PIN, 0);
        sleep_ms(250);
    }
    sleep_ms(1000);
}

int main(void)
{
    stdio_init_all();
    gpio_init(PICO_DEFAULT_LED_PIN);
    gpio_set_dir(PICO_DEFAULT_LED_PIN, GPIO_OUT);
    printf("%d self-test pictures are wrong\n", edge_digits_self_test());
    for (int i = 0;; i = (i + 1) % SELF_TEST_PICTURES) {
        int8_t logits[EDGE_DIGITS_CLASSES];
        uint16_t probabilities[EDGE_DIGITS_CLASSES];
        const int answer = edge_digits_classify(self_test_picture(i), logits);
        const int sure = edge_digits_probabilities(logits, probabilities);
        printf("%s%s\n", labels[answer], sure ? "" : " (not sure)");
        blink(answer);
    }
}
