"""The C++ around a model: the generators, the clock, the checksum, the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from simulation.design import Design
from simulation.stimulus import SHIFTS, Drive, generators_of
from zhufeng.hdl import Type

_TEXT = """
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <time.h>

@model@

static double cpu_s() {
    timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

constexpr int GENERATORS = @generators@, SUMS = @sums@;

template <class Port>
static inline void set(Port& port, uint8_t bit) { memcpy(&port, &bit, 1); }

// Moves every generator on by a cycle.
static inline void advance(uint16_t* x) {
    for (int k = 0; k < GENERATORS; ++k) {
        uint16_t y = x[k];
@shifts@
        x[k] = y;
    }
}

// What the inputs are in this cycle.
struct Inputs {
@members@
    inline void take(const uint16_t* x) {
@drives@
    }
};

template <bool INNER>
static void run(Model& model, uint16_t* x, uint32_t* sums, long cycles) {
    Inputs in;
    for (long cycle = 0; cycle < cycles; ++cycle) {
        in.take(x);
@gives@
@adds@
        set(model.PORT(clk), 1);
        evaluate<INNER>(model);
        set(model.PORT(clk), 0);
        evaluate<INNER>(model);
        advance(x);
    }
}

static void generate(uint16_t* x, long cycles) {
    Inputs in;
    for (long cycle = 0; cycle < cycles; ++cycle) {
        in.take(x);
        asm volatile("" : : "r"(&in) : "memory");
        advance(x);
    }
}

// SEEDS CYCLES [--inner | --generator-only]: the file SEEDS has the generators' start values, lane
// after lane. Printed are each lane's checksums, then the CPU seconds of all their loops.
int main(int argc, char** argv) {
    const std::string mode = argc == 4 ? argv[3] : "";
    FILE* const file = argc >= 3 ? fopen(argv[1], "rb") : nullptr;
    if (!file) return 2;
    const long cycles = atol(argv[2]);
    uint16_t x[GENERATORS];
    double seconds = 0;
    while (fread(x, sizeof x, 1, file)) {
        uint32_t sums[SUMS] = {};
        const auto model = std::make_unique<Model>();
        set(model->PORT(rst), 1);
        for (int edge = 0; edge < 4; ++edge) {
            set(model->PORT(clk), edge & 1);
            evaluate<false>(*model);
        }
        set(model->PORT(clk), 0);
        set(model->PORT(rst), 0);
        evaluate<false>(*model);
        const double begin = cpu_s();
        if (mode == "--generator-only") generate(x, cycles);
        else if (mode == "--inner") run<true>(*model, x, sums, cycles);
        else run<false>(*model, x, sums, cycles);
        seconds += cpu_s() - begin;
        for (const uint32_t sum : sums) printf("%08x ", sum);
        printf("\\n");
    }
    printf("%.9f\\n", seconds);
}
"""


_VERILATOR = """
#define PORT(name) name
using Model = V@top@;

// As Verilator's users do it; or without what `eval` calls before and behind the evaluation, the
// deletion of objects and the messages of other threads, of which there are none here.
template <bool INNER>
static inline void evaluate(Model& model) {
    if (INNER) V@top@___024root___eval(model.rootp); else model.eval();
}
"""
_CXXRTL = """
#define PORT(name) p_##name
using Model = cxxrtl_design::p_@top@;

template <bool INNER>
static inline void evaluate(Model& model) { model.step(); }
"""
Maker = Literal["Verilator", "CXXRTL"]


def driver(design: Design, top: str, maker: Maker = "Verilator") -> str:
    """The program, but for what the maker has made of the module `top`."""
    # CXXRTL writes an underscore twice.
    models = {
        "Verilator": _VERILATOR.replace("@top@", top),
        "CXXRTL": _CXXRTL.replace("@top@", top.replace("_", "__")),
    }
    parts = {
        "model": models[maker],
        "generators": str(generators_of(design.drives)),
        "sums": str(sum(kind.form.size for kind in design.outputs.values())),
        "shifts": "\n".join(map(_shift, SHIFTS)),
        "members": "\n".join(f"    {_member(one.port, one.kind)}" for one in design.drives),
        "drives": "\n".join(map(_drive, design.drives)),
        "gives": "\n".join(map(_give, design.drives)),
        "adds": "\n".join(_adds(design)),
    }
    text = _TEXT
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def _shift(by: int) -> str:
    return f"        y ^= y {'<<' if by > 0 else '>>'} {abs(by)};"


def _word(kind: Type) -> str:
    """The type of C++ in which Verilator keeps an element, packed side by side in an array."""
    assert not kind.shape or kind.width in {8, 16, 32}
    return f"uint{next(bits for bits in (8, 16, 32) if kind.width <= bits)}_t"


def _member(port: str, kind: Type) -> str:
    return f"{_word(kind)} {port}[{kind.form.size}];"


def _drive(one: Drive) -> str:
    value = one.text(f"x[{one.first} + k]")
    return f"        for (int k = 0; k < {one.count}; ++k) {one.port}[k] = {value};"


def _give(one: Drive) -> str:
    size, port = f"sizeof in.{one.port}", f"model.PORT({one.port})"
    return (
        f"        static_assert(sizeof {port} >= {size});\n"
        f"        memcpy(&{port}, in.{one.port}, {size});"
    )


def _adds(design: Design) -> Iterator[str]:
    first = 0
    for port, kind in design.outputs.items():
        size = kind.form.size
        yield f"        {{ {_member('out', kind)}"
        yield f"        memcpy(out, &model.PORT({port}), sizeof out);"
        yield f"        for (int k = 0; k < {size}; ++k) {{ uint32_t& sum = sums[{first} + k];"
        yield "            sum = (sum << 1 | sum >> 31) ^ out[k]; } }"
        first += size
