/* Activations are stored as x + 128, so that they are numbers of 0 to 255 as pixels are. */

typedef struct { /* What is done with the sum of one output channel. */
    int32_t bias;
    int32_t multiplier; /* In units of 2^-31, 0 or from 0.5 to 1. */
    int32_t shift;      /* The product is divided by 2^shift, 0 to 31. */
} Channel;

typedef struct { /* Where the results of a layer lie. */
    uint8_t zero; /* What stands for the number 0. */
    uint8_t low, high;
} Range;

typedef struct {
    uint16_t height, width, channels;
} Shape;

typedef struct { /* A rectangle that goes over a picture. */
    uint8_t height, width, stride_y, stride_x, dilation_y, dilation_x;
    uint8_t above, left; /* Rows and columns of padding. */
} Window;
