// Classifies a picture that comes over the serial line: EDGE_DIGITS_PIXELS bytes, row by row. The light is on while the
// answer is sure.
#include "digits.h"

static const char *const labels[] = EDGE_DIGITS_LABELS;
static uint8_t pixels[EDGE_DIGITS_PIXELS];

void setup() {
  Serial.begin(115200);
  Serial.setTimeout(5000);
  pinMode(LED_BUILTIN, OUTPUT);
}

void loop() {
  if (Serial.readBytes((char *)pixels, sizeof pixels) != sizeof pixels)
    return;
  int8_t logits[EDGE_DIGITS_CLASSES];
  uint16_t probabilities[EDGE_DIGITS_CLASSES];
  const int answer = edge_digits_classify(pixels, logits);
  digitalWrite(LED_BUILTIN, edge_digits_probabilities(logits, probabilities) ? HIGH : LOW);
  Serial.println(labels[answer]);
}
