/* A firmware for QEMU that classifies the pictures in the file pictures.bin and writes their logits to logits.bin, both
 * on the machine that QEMU runs on (semihosting). It prints the stack that a call takes, and its instructions.
 *
 * QEMU counts a nanosecond for each instruction (-icount shift=0), so the system timer counts instructions; a loop of a
 * known number of them says how many a tick is. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "digits.h"

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE0 = 4, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT_EXTENDED = 0x20 };
enum { READ_BINARY = 1, WRITE_BINARY = 5 };
#define STACK_BOTTOM ((uint8_t *)&_bss_end)
#define PAINT 0xA5
#define LOOPS 100000u

extern uint32_t _stack_top, _data_start, _data_end, _data_load, _bss_start, _bss_end;
static volatile uint32_t *const systick = (volatile uint32_t *)0xE000E010;

int main(void);
void reset(void);

static int semihosting(int operation, const void *arguments)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = arguments;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void leave(int code)
{
    const uint32_t arguments[2] = {0x20026 /* the program ended */, (uint32_t)code};
    semihosting(SYS_EXIT_EXTENDED, arguments);
    for (;;)
        ;
}

static void fault(void)
{
    semihosting(SYS_WRITE0, "fault\n");
    leave(3);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &_stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

void reset(void)
{
    memcpy(&_data_start, &_data_load, (size_t)((uint8_t *)&_data_end - (uint8_t *)&_data_start));
    memset(&_bss_start, 0, (size_t)((uint8_t *)&_bss_end - (uint8_t *)&_bss_start));
    leave(main());
}

static int open_file(const char *name, int mode)
{
    const uint32_t arguments[3] = {(uint32_t)name, (uint32_t)mode, (uint32_t)strlen(name)};
    return semihosting(SYS_OPEN, arguments);
}

/* Returns how many bytes were not read or written. */
static int transfer(int operation, int file, const void *bytes, size_t count)
{
    const uint32_t arguments[3] = {(uint32_t)file, (uint32_t)bytes, (uint32_t)count};
    return semihosting(operation, arguments);
}

static void print(const char *name, uint32_t value)
{
    char digits[12];
    char *at = digits + sizeof digits - 1;
    *at = 0;
    *--at = '\n';
    do
        *--at = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    semihosting(SYS_WRITE0, name);
    semihosting(SYS_WRITE0, at);
}

static uint8_t *stack_pointer(void)
{
    uint8_t *pointer;
    __asm__ volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

static uint32_t ticks_since(uint32_t start)
{
    return (start - systick[2]) & 0xFFFFFF; /* It counts down. */
}

static uint32_t ticks_of_loops(void)
{
    uint32_t left = LOOPS;
    const uint32_t start = systick[2];
    __asm__ volatile(".syntax unified\n1:\tsubs %0, %0, #1\n\tbne 1b" : "+l"(left) : : "cc");
    return ticks_since(start);
}

static uint8_t pixels[EDGE_DIGITS_PIXELS];
static int8_t logits[EDGE_DIGITS_CLASSES];
static uint16_t probabilities[EDGE_DIGITS_CLASSES];

__attribute__((noinline)) static uint32_t timed(void)
{
    const uint32_t start = systick[2];
    edge_digits_classify(pixels, logits);
    return ticks_since(start);
}

int main(void)
{
    const int pictures = open_file("pictures.bin", READ_BINARY), answers = open_file("logits.bin", WRITE_BINARY);
    if (pictures < 0 || answers < 0) {
        semihosting(SYS_WRITE0, "pictures.bin or logits.bin cannot be opened\n");
        return 2;
    }
    systick[1] = 0xFFFFFF;
    systick[0] = 5; /* Count the clock of the processor. */
    uint32_t count = 0, stack = 0, ticks = 0;
    for (; transfer(SYS_READ, pictures, pixels, sizeof pixels) == 0; count++) {
        uint8_t *const top = stack_pointer() - 16, *lowest = STACK_BOTTOM;
        for (volatile uint8_t *at = STACK_BOTTOM; at < top; at++)
            *at = PAINT;
        ticks += timed();
        edge_digits_probabilities(logits, probabilities);
        while (*lowest == PAINT && lowest < top)
            lowest++;
        if ((uint32_t)(top - lowest) + 16 > stack)
            stack = (uint32_t)(top - lowest) + 16;
        if (transfer(SYS_WRITE, answers, logits, sizeof logits) != 0)
            return 2;
    }
    print("pictures ", count);
    print("stack ", stack);
    if (count != 0)
        print("instructions ", (uint32_t)((uint64_t)ticks * 2 * LOOPS / ticks_of_loops() / count));
    return 0;
}
