// What sweeps need beyond scan.h: sums over a row, rarer functions, and which rows a thread has.
#pragma once
#include "scan.h"

namespace scan {

// ------------------------------------------------------------------------------------------------- sweeps' own words

#define SCAN_LAMBDA __attribute__((always_inline))

constexpr real infinity = std::numeric_limits<real>::infinity();

SCAN_INLINE vec keep(vec x, vec, all) { return x; }
SCAN_INLINE vec keep(vec x, vec otherwise, int n) {
    for (int i = n; i < lanes; ++i) x[i] = otherwise[i];
    return x;
}

inline real across_sum(vec x) {
    real total = 0;
    for (int i = 0; i < lanes; ++i) total += x[i];
    return total;
}
inline real across_max(vec x) {
    real best = x[0];
    for (int i = 1; i < lanes; ++i) best = (x[i] > best || x[i] != x[i]) ? x[i] : best;
    return best;
}
inline real across_min(vec x) {
    real best = x[0];
    for (int i = 1; i < lanes; ++i) best = (x[i] < best || x[i] != x[i]) ? x[i] : best;
    return best;
}

SCAN_INLINE vec expm1(vec x) { return each(x, [](real v) { return std::expm1(v); }); }
SCAN_INLINE vec floor(vec x) { return each(x, [](real v) { return std::floor(v); }); }
SCAN_INLINE vec sin(vec x) { return each(x, [](real v) { return std::sin(v); }); }
SCAN_INLINE vec cos(vec x) { return each(x, [](real v) { return std::cos(v); }); }
SCAN_INLINE vec sign(vec x) { return select(x > 0, broadcast(1), select(x < 0, broadcast(-1), x)); }
SCAN_INLINE vec power(vec x, vec y) {
    for (int i = 0; i < lanes; ++i) x[i] = std::pow(x[i], y[i]);
    return x;
}
SCAN_INLINE vec remainder(vec x, vec y) {
    for (int i = 0; i < lanes; ++i) {
        const real r = std::fmod(x[i], y[i]);
        x[i] = r != 0 && (r < 0) != (y[i] < 0) ? r + y[i] : r;
    }
    return x;
}

// Rows that have not ended at step t; the batch is sorted by falling length.
inline long rows_at(const std::int64_t* active, long t, long B) { return active ? long(active[t]) : B; }

// The rows of one thread: neighbours, with about as many steps in all as every other thread's.
inline range share(const std::int64_t* active, long T, long B, int thread, int threads) {
    if (!active) return part(B, thread, threads);
    std::int64_t total = 0;
    for (long t = 0; t < T; ++t) total += active[t];
    const auto cut = [&](int i) {
        if (i == threads) return B;
        long row = 0;
        for (std::int64_t before = 0; row < B; ++row) {
            if (before * threads >= total * i) break;
            long length = 0;
            while (length < T && active[length] > row) ++length;
            before += length;
        }
        return row;
    };
    return {cut(thread), cut(thread + 1)};
}

}  // namespace scan
