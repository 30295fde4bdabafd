// What verify.py does, with Verilator's model of the array: the same vectors, the same sums, and the
// same product of matrices to check them by.
//
//     simulator VECTORS SEED
//
// Verilator's headers stand before this.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

constexpr int N = 16, GENERATORS = N / 4, TILES = 4, PERIOD = 250, FED = PERIOD - 2 * N + 1;
constexpr uint32_t FACTOR = 0x9E3779B1;

static uint32_t power(int n) { return n ? FACTOR * power(n - 1) : 1; }

// Start values: of SplitMix's finaliser, in a row.
static uint32_t start_value(uint64_t counted, uint64_t seed) {
    uint64_t z = (counted + (seed << 32)) * 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return static_cast<uint32_t>(z >> 32) | 1;
}

struct Generators {
    uint32_t x[GENERATORS];

    // Byte b of generator g is number 4 b + g; all are moved on.
    inline void next(int8_t* numbers) {
        for (int b = 0; b < 4; ++b)
            for (int g = 0; g < GENERATORS; ++g) numbers[4 * b + g] = x[g] >> 8 * b;
        for (uint32_t& y : x) {
            y ^= y << 13;
            y ^= y >> 17;
            y ^= y << 5;
        }
    }
};

static inline void evaluate(MODEL& model, uint32_t* sums) {
    int32_t out[N];
    memcpy(out, &model.out, sizeof out);
    for (int j = 0; j < N; ++j) sums[j] = sums[j] * FACTOR + out[j];
    model.clk = 1;
    model.eval();
    model.clk = 0;
    model.eval();
}

static inline void give(void* port, const int8_t* numbers) { memcpy(port, numbers, N); }

// A tile: what leaves goes into the sums, what must leave into the others.
static void tile(MODEL& model, Generators& generators, uint32_t* sums, uint32_t* expected,
                 const uint32_t (*late)[N]) {
    static_assert(sizeof model.a == N && sizeof model.w == N && sizeof model.out == 4 * N);
    int8_t numbers[N];
    const int8_t zeros[N] = {};
    int32_t weights[N][N];
    uint32_t rows[N] = {};
    model.load = 1;
    give(&model.a, zeros);
    for (int cycle = 0; cycle < N; ++cycle) {
        generators.next(numbers);
        for (int j = 0; j < N; ++j) weights[N - 1 - cycle][j] = numbers[j];
        give(&model.w, numbers);
        evaluate(model, sums);
    }
    model.load = 0;
    for (int cycle = N; cycle < FED; ++cycle) {
        generators.next(numbers);
        for (int k = 0; k < N; ++k) rows[k] = rows[k] * FACTOR + numbers[k];
        give(&model.a, numbers);
        give(&model.w, numbers);
        evaluate(model, sums);
    }
    give(&model.a, zeros);
    for (int cycle = FED; cycle < PERIOD; ++cycle) {
        generators.next(numbers);
        give(&model.w, numbers);
        evaluate(model, sums);
    }
    static const uint32_t whole = power(PERIOD);
    for (int j = 0; j < N; ++j) expected[j] *= whole;
    for (int k = 0; k < N; ++k)
        for (int j = 0; j < N; ++j) expected[j] += rows[k] * late[k][j] * weights[k][j];
}

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const long vectors = atol(argv[1]), seed = atol(argv[2]);
    uint32_t late[N][N], digest = 0;
    for (int k = 0; k < N; ++k)
        for (int j = 0; j < N; ++j) late[k][j] = power(N - 1 + k - j);
    VerilatedContext context;
    MODEL model{&context};
    long right = 0;
    for (long vector = 0; vector < vectors; ++vector) {
        Generators generators;
        for (int g = 0; g < GENERATORS; ++g)
            generators.x[g] = start_value(vector * GENERATORS + g + 1, seed);
        uint32_t sums[N] = {}, expected[N] = {};
        model.rst = 1;
        evaluate(model, sums);
        model.rst = 0;
        memset(sums, 0, sizeof sums);
        for (int n = 0; n < TILES; ++n) tile(model, generators, sums, expected, late);
        right += memcmp(sums, expected, sizeof sums) == 0;
        for (const uint32_t sum : sums) digest ^= sum;
    }
    printf("{\"vectors\": %ld, \"right\": %ld, \"digest\": %u}\n", vectors, right, digest);
    model.final();
    return right < vectors;
}
