/* For Icarus Verilog: what is X after time 0, which is the state that nothing has set, becomes 0
   and 1 at random, in the way in which it is in hardware. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <vpi_user.h>

static uint64_t drawn;

static int bit(void)
{
    /* Marsaglia's xorshift64, and the bit on top. */
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return drawn >> 63;
}

static void settle(vpiHandle one)
{
    s_vpi_value value;
    char *bits;
    size_t length, place;

    value.format = vpiBinStrVal;
    vpi_get_value(one, &value);
    if (!strpbrk(value.value.str, "xXzZ"))
        return;
    length = strlen(value.value.str);
    bits = malloc(length + 1);
    for (place = 0; place < length; place++)
        bits[place] = bit() ? '1' : '0';
    bits[length] = 0;
    value.value.str = bits;
    vpi_put_value(one, &value, NULL, vpiNoDelay);
    free(bits);
}

static void each(PLI_INT32 kind, vpiHandle scope, void (*visit)(vpiHandle))
{
    vpiHandle all = vpi_iterate(kind, scope), one;

    while (all && (one = vpi_scan(all)))
        visit(one);
}

static void words(vpiHandle memory)
{
    each(vpiMemoryWord, memory, settle);
}

static void inside(vpiHandle scope)
{
    each(vpiReg, scope, settle);
    each(vpiMemory, scope, words);
    each(vpiInternalScope, scope, inside);
}

static PLI_INT32 start(p_cb_data data)
{
    (void)data;
    each(vpiModule, NULL, inside);
    return 0;
}

static void enter(void)
{
    static s_vpi_time now = {vpiSimTime, 0, 0, 0};
    s_cb_data data;
    const char *seed = getenv("ZHUFENG_SEED");

    drawn = 0x9e3779b97f4a7c15u * (seed ? strtoull(seed, NULL, 10) : 1);
    memset(&data, 0, sizeof data);
    data.reason = cbReadWriteSynch;
    data.cb_rtn = start;
    data.time = &now;
    vpi_register_cb(&data);
}

void (*vlog_startup_routines[])(void) = {enter, NULL};
