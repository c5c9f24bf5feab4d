/* Sums of products of activations with rows of weights. */

#ifdef __ARM_FEATURE_DSP
#include <arm_acle.h>

static inline uint32_t word(const void *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value); /* One instruction; bytes need not be aligned. */
    return value;
}

/* Bytes 1 and 3 of a word as two halves; __uxtb16 gives bytes 0 and 2. */
static inline uint32_t odd_bytes(uint32_t bytes)
{
    uint32_t halves;
    __asm__("uxtb16 %0, %1, ror #8" : "=r"(halves) : "r"(bytes));
    return halves;
}

/* Return sum plus four products: two signed weights at a time become halves, and two halves are multiplied at once. As
   intrinsics the compiler takes the loop below apart until its registers do not suffice. */
typedef uint32_t __attribute__((aligned(1), may_alias)) AnyWord;
#define ADD_PRODUCTS(sum, even, odd, weights)                                                                     \
    do {                                                                                                          \
        uint32_t row, halves;                                                                                     \
        __asm__("ldr %1, %3\n\t"                                                                                  \
                "sxtb16 %2, %1\n\t"                                                                               \
                "smlad %0, %4, %2, %0\n\t"                                                                        \
                "sxtb16 %1, %1, ror #8\n\t"                                                                       \
                "smlad %0, %5, %1, %0"                                                                            \
                : "+r"(sum), "=&r"(row), "=&r"(halves)                                                            \
                : "m"(*(const AnyWord *)(weights)), "r"(even), "r"(odd));                                         \
    } while (0)

#define ROWS 4
static __attribute__((noinline)) void dot_rows(const uint8_t *values, const int8_t *weights, int count, int32_t sums[ROWS])
{
    int32_t a = 0, b = 0, c = 0, d = 0;
    const int three = 3 * count;
    const uint8_t *const last = values + count / 4 * 4;
    for (; values != last; values += 4, weights += 4) {
        const uint32_t bytes = word(values), even = __uxtb16(bytes), odd = odd_bytes(bytes);
        ADD_PRODUCTS(a, even, odd, weights);
        ADD_PRODUCTS(b, even, odd, weights + count);
        ADD_PRODUCTS(c, even, odd, weights + 2 * count);
        ADD_PRODUCTS(d, even, odd, weights + three);
    }
    for (int i = 0; i < count % 4; i++, weights++) {
        a += values[i] * weights[0];
        b += values[i] * weights[count];
        c += values[i] * weights[2 * count];
        d += values[i] * weights[three];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#elif defined(__SSE2__) || defined(__ARM_NEON)
/* Compilers turn products of halves into vectors; four rows share each value that is loaded. */
#define ROWS 4
static inline void dot_rows(const uint8_t *values, const int8_t *weights, int count, int32_t sums[ROWS])
{
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (int i = 0; i < count; i++) {
        const int16_t value = values[i];
        a += value * (int16_t)weights[i];
        b += value * (int16_t)weights[i + count];
        c += value * (int16_t)weights[i + 2 * count];
        d += value * (int16_t)weights[i + 3 * count];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}
#else
/* Two rows share each value that is loaded. Not inlined, so that everything fits into registers. */
#define ROWS 2
static __attribute__((noinline)) void dot_rows(const uint8_t *values, const int8_t *weights, int count,
                                               int32_t sums[ROWS])
{
    const int8_t *const second = weights + count;
    int32_t a = 0, b = 0;
#pragma GCC unroll 8
    for (int i = 0; i < count; i++) {
        const int32_t value = values[i];
        a += value * weights[i];
        b += value * second[i];
    }
    sums[0] = a;
    sums[1] = b;
}
#endif

static int32_t dot(const uint8_t *values, const int8_t *weights, int count)
{
    int32_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += values[i] * weights[i];
    return sum;
}

/* One result per output channel: weights holds `channels` rows of `count`. */
static void dense(const uint8_t *values, const int8_t *weights, int count, const Channel *channel, int channels,
                  const Range *range, uint8_t *output)
{
    while (channels > 0) {
        int32_t sums[ROWS];
        const int rows = channels < ROWS ? 1 : ROWS;
        if (rows == ROWS)
            dot_rows(values, weights, count, sums);
        else
            sums[0] = dot(values, weights, count);
        for (int i = 0; i < rows; i++)
            *output++ = requantize(sums[i], channel++, range);
        weights += rows * count;
        channels -= rows;
    }
}
