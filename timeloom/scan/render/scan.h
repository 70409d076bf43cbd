// The hand-written part of every kernel: vectors, packed products, teams of threads.
//
// A generated kernel defines REAL (float or double) and SCAN_KERNEL, includes this file, and writes its phases in these
// words. What is slow to compile is compiled once, in products.cpp, which hands kernels a `toolbox`.
// Everything is plain C++17 on GCC's vector extensions, so one text gives AVX-512, AVX2, SSE and NEON code.
// Compile with -O3 -march=native -ffp-contract=off -fno-math-errno, never with -ffast-math: NaN and inf have meaning.
// Where a product and a sum are rounded once, `fma` says so: a compiler that chose by itself would choose otherwise in a
// tile of one row than in one of six, and a sequence alone would not be the sequence in company.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#ifndef REAL
#define REAL float
#endif

// What Python calls.
#define SCAN_ENTRY extern "C" __attribute__((visibility("default")))

// Hidden: kernels of float and of double live in one process, and must not share what has the same name in both.
namespace [[gnu::visibility("hidden")]] scan {

using real = REAL;

// ---------------------------------------------------------------------------------------------------- vectors

#if defined(__AVX512F__)
#define SCAN_BYTES 64
#elif defined(__AVX__)
#define SCAN_BYTES 32
#else
#define SCAN_BYTES 16
#endif

constexpr bool single = sizeof(real) == 4;
constexpr int lanes = SCAN_BYTES / int(sizeof(real));
using integer = std::conditional_t<single, std::int32_t, std::int64_t>;

typedef real vec __attribute__((vector_size(SCAN_BYTES)));
typedef integer mask __attribute__((vector_size(SCAN_BYTES)));  // a comparison gives -1 where true, 0 where false
typedef real loose __attribute__((vector_size(SCAN_BYTES), aligned(sizeof(real)), may_alias));

#define SCAN_INLINE [[gnu::always_inline]] inline
#define SCAN_LAMBDA __attribute__((always_inline))

struct all {};  // "every lane", where an int would say "the first n lanes"

SCAN_INLINE vec broadcast(real x) { return x - vec{}; }

// a b + c, rounded once on every processor that can, and then everywhere: in vectors, their tails, and single numbers.
SCAN_INLINE vec fma(vec a, vec b, vec c) {
#if defined(__AVX512F__)
    if constexpr (single) return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
    else return (vec)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
    if constexpr (single) return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
    else return (vec)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__aarch64__)
    if constexpr (single) return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
    else return (vec)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}
SCAN_INLINE vec fma(vec a, real b, vec c) { return fma(a, broadcast(b), c); }
SCAN_INLINE vec fma(vec a, vec b, real c) { return fma(a, b, broadcast(c)); }
SCAN_INLINE vec fma(vec a, real b, real c) { return fma(a, broadcast(b), broadcast(c)); }
SCAN_INLINE real fma(real a, real b, real c) {
#if defined(__FMA__) || defined(__aarch64__)
    return single ? real(__builtin_fmaf(float(a), float(b), float(c))) : real(__builtin_fma(a, b, c));
#else
    return a * b + c;
#endif
}
SCAN_INLINE vec select(mask where, vec yes, vec no) { return where ? yes : no; }
SCAN_INLINE vec load(const real* from, all = {}) { return *reinterpret_cast<const loose*>(from); }
SCAN_INLINE void store(real* to, vec x, all = {}) { *reinterpret_cast<loose*>(to) = x; }

SCAN_INLINE vec load(const real* from, int n) {
#if defined(__AVX512F__)
    if constexpr (single) return (vec)_mm512_maskz_loadu_ps(__mmask16((1u << n) - 1), from);
    else return (vec)_mm512_maskz_loadu_pd(__mmask8((1u << n) - 1), from);
#else
    vec x = {};
    for (int i = 0; i < n; ++i) x[i] = from[i];
    return x;
#endif
}

SCAN_INLINE void store(real* to, vec x, int n) {
#if defined(__AVX512F__)
    if constexpr (single) _mm512_mask_storeu_ps(to, __mmask16((1u << n) - 1), (__m512)x);
    else _mm512_mask_storeu_pd(to, __mmask8((1u << n) - 1), (__m512d)x);
#else
    for (int i = 0; i < n; ++i) to[i] = x[i];
#endif
}

// Calls body(unit, n) over [from, to) by whole vectors (n is `all`) and once for the rest (n is an int).
template <class Body>
SCAN_INLINE void by_vectors(long from, long to, Body&& body) {
    for (; from + lanes <= to; from += lanes) body(from, all{});
    if (from < to) body(from, int(to - from));
}

// Half onto half, so that four additions wait for each other and not sixteen.
template <int n>
SCAN_INLINE real across_sum(const real* x) {
    if constexpr (n == 1) return *x;
    else {
        typedef real half __attribute__((vector_size(n / 2 * sizeof(real)), aligned(sizeof(real)), may_alias));
        const half sum = *reinterpret_cast<const half*>(x) + *reinterpret_cast<const half*>(x + n / 2);
        return across_sum<n / 2>(reinterpret_cast<const real*>(&sum));
    }
}
SCAN_INLINE real across_sum(vec x) { return across_sum<lanes>(reinterpret_cast<const real*>(&x)); }
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

// ------------------------------------------------------------------------------------------ element-wise functions
// float: polynomials within 3 ulp; exp gives 0 below e^-86, just above the denormals. double: the C library, lane by lane.

template <class Function>
SCAN_INLINE vec each(vec x, Function f) {
    for (int i = 0; i < lanes; ++i) x[i] = f(x[i]);
    return x;
}

// Like torch, and unlike x86: a NaN on either side wins.
SCAN_INLINE vec maximum(vec a, vec b) { return select((a > b) | (a != a), a, b); }
SCAN_INLINE vec minimum(vec a, vec b) { return select((a < b) | (a != a), a, b); }

constexpr integer sign_bit = std::numeric_limits<integer>::min();
SCAN_INLINE vec abs(vec x) { return (vec)((mask)x & ~sign_bit); }
SCAN_INLINE vec reciprocal(vec x) { return real(1) / x; }
SCAN_INLINE vec sqrt(vec x) { return each(x, [](real v) { return std::sqrt(v); }); }
SCAN_INLINE vec erf(vec x) { return each(x, [](real v) { return std::erf(v); }); }

// The bound where x is beyond it, else x, NaN too: one x86 instruction, where a select takes two.
SCAN_INLINE vec at_most(vec x, real bound) {
#if defined(__AVX512F__)
    if constexpr (single) return (vec)_mm512_maskz_min_ps(0xffff, (__m512)broadcast(bound), (__m512)x);
#endif
    return select(x > bound, broadcast(bound), x);
}
SCAN_INLINE vec at_least(vec x, real bound) {
#if defined(__AVX512F__)
    if constexpr (single) return (vec)_mm512_maskz_max_ps(0xffff, (__m512)broadcast(bound), (__m512)x);
#endif
    return select(x < bound, broadcast(bound), x);
}

// x = n ln 2 + rest with |rest| <= ln 2 / 2: gives exp(rest) - 1 and 2^(n + shift).
struct reduced {
    vec rest, power;
};
template <int shift>
SCAN_INLINE reduced reduce(vec x) {
    constexpr float magic = 12582912 + 127 + shift;  // 1.5 * 2^23: a sum's low bits are n + shift, as an exponent
    const vec shifted = fma(x, 1.44269504088896341f, magic), n = shifted - magic;
    const vec r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));
    vec p = fma(r, 1.9875691500e-4f, 1.3981999507e-3f);
    p = fma(p, r, 8.3334519073e-3f);
    p = fma(p, r, 4.1665795894e-2f);
    p = fma(p, r, 1.6666665459e-1f);
    p = fma(p, r, 5.0000001201e-1f);
    return {fma(p, r * r, r), (vec)((mask)shifted << 23)};
}

// exp(x) / 2 for x in [-86, 89], halved so that n = 128 stays finite.
SCAN_INLINE vec half_exp(vec x) {
    const reduced e = reduce<-1>(x);
    return fma(e.rest, e.power, e.power);
}

SCAN_INLINE vec exp(vec x) {
    if constexpr (single) return select(x < -86, vec{}, 2 * half_exp(at_most(at_least(x, -86), 89)));
    else return each(x, [](real v) { return std::exp(v); });
}

SCAN_INLINE vec sigmoid(vec x) {
    if constexpr (single) return 1 / (1 + 2 * half_exp(-at_most(at_least(x, -89), 86)));
    else return 1 / (1 + exp(-x));
}

// tanh|x| = t / (t + 2) with t = exp(2|x|) - 1, which keeps its precision near zero.
SCAN_INLINE vec tanh(vec x) {
    if constexpr (!single) return each(x, [](real v) { return std::tanh(v); });
    const reduced e = reduce<0>(2 * at_most(abs(x), 10));
    const vec t = fma(e.rest, e.power, e.power - 1);
    return (vec)((mask)(t / (t + 2)) | ((mask)x & sign_bit));
}

SCAN_INLINE vec log(vec x) {
    if constexpr (!single) return each(x, [](real v) { return std::log(v); });
    const mask tiny = x < 1.17549435e-38f;
    const vec scaled = select(tiny, x * 8388608.0f, x);
    const mask bits = (mask)scaled - 0x3f3504f3;  // so that the mantissa lies in [sqrt(1/2), sqrt(2))
    const vec n = __builtin_convertvector(bits >> 23, vec) - select(tiny, broadcast(23), vec{});
    const vec m = (vec)((bits & 0x007fffff) + 0x3f3504f3) - 1, square = m * m;
    vec p = fma(m, 7.0376836292e-2f, -1.1514610310e-1f);
    p = fma(p, m, 1.1676998740e-1f);
    p = fma(p, m, -1.2420140846e-1f);
    p = fma(p, m, 1.4249322787e-1f);
    p = fma(p, m, -1.6668057665e-1f);
    p = fma(p, m, 2.0000714765e-1f);
    p = fma(p, m, -2.4999993993e-1f);
    p = fma(p, m, 3.3333331174e-1f);
    vec y = fma(p * m, square, n * -2.12194440e-4f);
    y = fma(n, 0.693359375f, fma(square, real(-0.5), y) + m);
    constexpr real infinity = std::numeric_limits<real>::infinity();
    y = select(x == 0, broadcast(-infinity), y);
    y = select(x < 0, broadcast(std::numeric_limits<real>::quiet_NaN()), y);
    return select((x == infinity) | (x != x), x, y);
}

SCAN_INLINE vec log1p(vec x) {
    if constexpr (!single) return each(x, [](real v) { return std::log1p(v); });
    const vec u = 1 + x, lost = (x - (u - 1)) / u;  // what the sum rounded away, to first order
    return select((u == 1) | (x == std::numeric_limits<real>::infinity()), x, log(u) + select(x > -1, lost, vec{}));
}

SCAN_INLINE vec softplus(vec x) { return maximum(x, vec{}) + log1p(exp(-abs(x))); }

// ------------------------------------------------------------------------------------------------ packed products
// C = A W^T. W (N, K) is packed once into panels of up to `wide` vectors: [panel][K][width], zeros past N.
// The accumulators of one tile, `tall` rows by `wide` vectors, fill the registers.

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tall = 6, wide = 4;  // 32 registers
#else
constexpr int tall = 6, wide = 2;  // 16 registers
#endif
constexpr long deep = 512;  // steps of K per pass: a panel's pass and the rows' stay in L2

struct range {
    long from, to;
};

// Part i of n of [0, size), even to within one.
inline range part(long size, long i, long n) { return {size * i / n, size * (i + 1) / n}; }

inline long up(long size, long unit) { return (size + unit - 1) / unit; }
inline long panels(long N) { return up(up(N, lanes), wide); }
inline long packed_size(long N, long K) { return up(N, lanes) * lanes * K; }

// A matrix anywhere in memory: element (i, j) at data[i * row + j * column].
struct matrix {
    const real* data;
    long row, column;
    const real* at(long i, long j) const { return data + i * row + j * column; }
};

// Whether a W that is used but once is better not packed: few rows, or dot products, which need no packing at all.
inline bool serves_unpacked(long rows, long column) { return rows <= 8 || column == 1; }

// The part that is compiled once for all kernels of a number type and reached from them by pointers: it takes a compiler
// longer than all else together.
struct toolbox {
    long bytes;  // of its vectors: a kernel's must be as wide
    void (*pack)(matrix, long, long, real*, range);
    void (*product)(long, matrix, const real*, long, long, real*, long, bool, range);
    void (*product_unpacked)(long, matrix, matrix, long, long, real*, long, range);
};

#ifdef SCAN_KERNEL  // as a kernel has it

inline const toolbox* tools = nullptr;
inline void pack(matrix W, long N, long K, real* packed, range some) { tools->pack(W, N, K, packed, some); }
inline void product(long rows, matrix A, const real* packed, long K, long N, real* C, long ldc, bool add, range some) {
    tools->product(rows, A, packed, K, N, C, ldc, add, some);
}
inline void product_unpacked(long rows, matrix A, matrix W, long K, long N, real* C, long ldc, range some) {
    tools->product_unpacked(rows, A, W, K, N, C, ldc, some);
}

// Called once, before any loop; gives whether the tools fit.
SCAN_ENTRY int use_tools(const toolbox* given) {
    tools = given;
    return given->bytes == SCAN_BYTES;
}

#else

// Transposes lanes x lanes: at each stage, rows i and i + S swap the halves of their blocks of 2 S lanes.
template <int S, std::size_t... Lane>
SCAN_INLINE void swap_blocks(vec* rows, std::index_sequence<Lane...>) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
        if (i & S) continue;
        const vec a = rows[i], b = rows[i + S];
        rows[i] = __builtin_shufflevector(a, b, int(Lane & S ? Lane - S + lanes : Lane)...);
        rows[i + S] = __builtin_shufflevector(a, b, int(Lane & S ? Lane + lanes : Lane + S)...);
    }
}
SCAN_INLINE void transpose(vec* rows) {
    constexpr auto each_lane = std::make_index_sequence<lanes>{};
    if constexpr (lanes > 8) swap_blocks<8>(rows, each_lane);
    if constexpr (lanes > 4) swap_blocks<4>(rows, each_lane);
    if constexpr (lanes > 2) swap_blocks<2>(rows, each_lane);
    swap_blocks<1>(rows, each_lane);
}

// Packs panels [some.from, some.to) of W (N, K); threads share the work by panels.
inline void pack(matrix W, long N, long K, real* packed, range some) {
    for (long p = some.from; p < some.to; ++p) {
        const range v = part(up(N, lanes), p, panels(N));
        const long width = (v.to - v.from) * lanes;
        for (long n = v.from * lanes; n < v.to * lanes; n += lanes) {
            real* to = packed + v.from * lanes * K + (n - v.from * lanes);
            const int filled = int(std::min<long>(lanes, N - n));
            if (W.row == 1) {
                for (long k = 0; k < K; ++k) {
                    __builtin_prefetch(W.at(n, k + 24));
                    store(to + k * width, filled == lanes ? load(W.at(n, k)) : load(W.at(n, k), filled));
                }
                continue;
            }
            for (long k = 0; k < K; k += lanes) {
                const int steps = int(std::min<long>(lanes, K - k));
                vec square[lanes] = {};
                for (int i = 0; i < filled; ++i) {
                    const real* from = W.at(n + i, k);
                    if (W.column == 1) square[i] = steps == lanes ? load(from) : load(from, steps);
                    else for (int j = 0; j < steps; ++j) square[i][j] = from[j * W.column];
                }
                transpose(square);
                for (int j = 0; j < steps; ++j) store(to + (k + j) * width, square[j]);
            }
        }
    }
}

// One tile: C (R rows, V vectors, `tail` lanes in the last) = A panel (+ C).
template <int R, int V>
[[gnu::noinline]] void tile(const real* a, long row, long column, const real* w, long K, real* c, long ldc, int tail,
                            bool add) {
    const real* A[R];
    vec sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
        A[r] = a + r * row;
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            sum[r][v] = vec{};
            __builtin_prefetch(c + r * ldc + v * lanes, 1);  // needed K steps from now
        }
    }
    for (long k = 0, at = 0; k < K; ++k, at += column, w += V * lanes) {
        vec panel[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) panel[v] = load(w + v * lanes);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const vec x = broadcast(A[r][at]);
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) sum[r][v] = fma(x, panel[v], sum[r][v]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r, c += ldc) {
#pragma GCC unroll 8
        for (int v = 0; v < V - 1; ++v) store(c + v * lanes, add ? load(c + v * lanes) + sum[r][v] : sum[r][v]);
        real* last = c + (V - 1) * lanes;
        if (tail == lanes) store(last, add ? load(last) + sum[r][V - 1] : sum[r][V - 1]);
        else store(last, add ? load(last, tail) + sum[r][V - 1] : sum[r][V - 1], tail);
    }
}

using Tile = decltype(&tile<1, 1>);
template <int V>
constexpr Tile column_of_tiles[tall + 1] = {nullptr,    tile<1, V>, tile<2, V>, tile<3, V>,
                                            tile<4, V>, tile<5, V>, tile<6, V>};
inline Tile tile_of(long rows, long vectors) {
    if (vectors == 1) return column_of_tiles<1>[rows];
    if (vectors == 2) return column_of_tiles<2>[rows];
    return vectors == 3 ? column_of_tiles<std::min(3, wide)>[rows] : column_of_tiles<wide>[rows];
}

// C (rows, N) = A (rows, K) W^T (+ C), the columns of some panels.
inline void product(long rows, matrix A, const real* packed, long K, long N, real* C, long ldc, bool add, range some) {
    const long count = panels(N), strips = up(rows, tall), passes = std::max(up(K, deep), 1L);
    for (long pass = 0; pass < passes; ++pass) {
        const range k = part(K, pass, passes);
        for (long p = some.from; p < some.to; ++p) {
            const range v = part(up(N, lanes), p, count);
            const long first = v.from * lanes, width = (v.to - v.from) * lanes;
            const int tail = int(std::min<long>(lanes, N - (v.to - 1) * lanes));
            const real* panel = packed + first * K + k.from * width;
            for (long s = 0; s < strips; ++s) {
                const range r = part(rows, s, strips);
                tile_of(r.to - r.from, v.to - v.from)(A.at(r.from, k.from), A.row, A.column, panel, k.to - k.from,
                                                      C + r.from * ldc + first, ldc, tail, add || pass > 0);
            }
        }
    }
}

// R rows times `count` of W's, abreast: dot products, lane by lane, then across. Each is the same in any company.
template <int R, int abreast>
SCAN_INLINE void dots(matrix A, long r, const real* const* w, long K, real* C, long ldc, int count) {
    vec sums[R][abreast] = {};
    by_vectors(0, K, [&](long k, auto some) SCAN_LAMBDA {
        vec a[R];
#pragma GCC unroll 8
        for (int i = 0; i < R; ++i) a[i] = load(A.at(r + i, k), some);
#pragma GCC unroll 8
        for (int j = 0; j < abreast; ++j) {
            const vec b = load(w[j] + k, some);
#pragma GCC unroll 8
            for (int i = 0; i < R; ++i) sums[i][j] = fma(a[i], b, sums[i][j]);
        }
    });
    for (int i = 0; i < R; ++i)
        for (int j = 0; j < count; ++j) C[(r + i) * ldc + j] = across_sum(sums[i][j]);
}

// The same product for a W (N, K) that is used but once, so that it is not packed; the columns of some vectors.
inline void product_unpacked(long rows, matrix A, matrix W, long K, long N, real* C, long ldc, range some) {
    constexpr int abreast = 2 * wide;
    const long from = some.from * lanes, to = std::min(N, some.to * lanes);
    if (W.column == 1 && A.column == 1) {
        for (long n = from; n < to; n += abreast) {
            const int count = int(std::min<long>(abreast, to - n));
            const real* w[abreast];
            for (int i = 0; i < abreast; ++i) w[i] = W.at(n + std::min(i, count - 1), 0);
            long r = 0;
            for (; r + 2 <= rows; r += 2) dots<2, abreast>(A, r, w, K, C + n, ldc, count);
            if (r < rows) dots<1, abreast>(A, r, w, K, C + n, ldc, count);
        }
        return;
    }
    const long passes = std::max(up(K, deep), 1L);
    for (long n = from; n < to; n += wide * lanes) {  // multiples of columns, added up in the order of a tile
        const long count = std::min<long>(wide * lanes, to - n);
        for (long pass = 0; pass < passes; ++pass) {
            const range some_k = part(K, pass, passes);
            for (long r = 0; r < rows; ++r) {
                vec sums[wide] = {};
                for (long k = some_k.from; k < some_k.to; ++k) {
                    const real a = *A.at(r, k);
                    if (W.row == 1 && count == wide * lanes) {
#pragma GCC unroll 4
                        for (int v = 0; v < wide; ++v) sums[v] = fma(broadcast(a), load(W.at(n + v * lanes, k)), sums[v]);
                    } else {
                        for (long i = 0; i < count; ++i) {
                            vec& sum = sums[i / lanes];
                            sum[i % lanes] = fma(a, *W.at(n + i, k), real(sum[i % lanes]));
                        }
                    }
                }
                real* const out = C + r * ldc + n;
                for (long i = 0; i < count; ++i) out[i] = (pass ? out[i] : real(0)) + sums[i / lanes][i % lanes];
            }
        }
    }
}

#endif  // SCAN_KERNEL

// --------------------------------------------------------------------------------------------------------- memory

// Uninitialised, on a cache line of its own.
class buffer {
  public:
    explicit buffer(long size) {
        const long bytes = size * long(sizeof(real)) + 1, page = bytes < huge ? 64 : huge;
        data_ = static_cast<real*>(std::aligned_alloc(page, up(bytes, page) * page));
        if (!data_) throw std::bad_alloc();
#ifdef SCAN_POISON  // for tests: whoever reads what was not written gets a NaN
        std::fill_n(data_, size, std::numeric_limits<real>::quiet_NaN());
#endif
#if defined(__linux__)
        if (page == huge) madvise(data_, up(bytes, page) * page, MADV_HUGEPAGE);  // a hint: a panel spans many pages
#endif
    }
    ~buffer() { std::free(data_); }
    buffer(const buffer&) = delete;
    buffer& operator=(const buffer&) = delete;
    operator real*() const { return data_; }

  private:
    static constexpr long huge = 2 << 20;
    real* data_;
};

// Room for what a call needs for itself, taken before any thread begins, so that a lack of it can be told. A thread keeps
// a small one for its next call: the system would clear every page of it again.
class room {
  public:
    explicit room(long size) {
        thread_local std::unique_ptr<buffer> spare;
        thread_local long spare_size = 0;
        if (size > kept) {
            own_ = std::make_unique<buffer>(size);
        } else if (size > spare_size || !spare) {
            spare_size = 0;
            spare.reset();
            spare = std::make_unique<buffer>(size);
            spare_size = size;
        }
        next_ = own_ ? *own_ : *spare;
    }
    real* take(long size) {
        real* const taken = next_;
        next_ += up(size, lanes) * lanes;
        return taken;
    }

  private:
    static constexpr long kept = (16 << 20) / sizeof(real);
    std::unique_ptr<buffer> own_;
    real* next_;
};

#ifndef SCAN_KERNEL
// C (rows some of M, N) = A (M, K) B (K, N), for a long K: packs B pass by pass, and A where its rows are strided.
constexpr long rows_at_once = wide * lanes;  // of A packed at a time: one panel
inline long multiply_room(long N) { return packed_size(N, deep) + rows_at_once * deep; }
inline void multiply(range some, long N, long K, matrix A, matrix B, real* C, long ldc, real* room) {
    const long passes = std::max(up(K, deep), 1L);
    real* const turned = room + packed_size(N, deep);
    for (long pass = 0; pass < passes; ++pass) {
        const range k = part(K, pass, passes);
        const long steps = k.to - k.from;
        pack({B.at(k.from, 0), B.column, B.row}, N, steps, room, {0, panels(N)});
        for (long from = some.from; from < some.to; from += rows_at_once) {
            const long rows = std::min(rows_at_once, some.to - from);
            matrix a = {A.at(from, k.from), A.row, A.column};
            if (A.column != 1) {
                pack(a, rows, steps, turned, {0, 1});
                a = {turned, 1, up(rows, lanes) * lanes};
            }
            product(rows, a, room, steps, N, C + from * ldc, ldc, pass > 0, {0, panels(N)});
        }
    }
}
#endif

// -------------------------------------------------------------------------------------------------------- threads

// A pool of threads that the process already has: GOMP_parallel, omp_get_thread_num, omp_get_num_threads of the
// libgomp that torch runs on, so that no second pool fights the first. All null (after a fork): threads of our own.
struct pool {
    void (*parallel)(void (*)(void*), void*, unsigned, unsigned);
    int (*number)();
    int (*size)();
};

using Work = void (*)(int thread, int threads, void* data);

// Runs work on `threads` threads, or on fewer where the pool gives fewer, and waits for them.
inline void team(const pool& from, int threads, Work work, void* data) {
    if (threads <= 1) return work(0, 1, data);
    if (from.parallel) {
        struct task {
            const pool& from;
            Work work;
            void* data;
        } mine{from, work, data};
        const auto enter = [](void* arg) {
            const task& t = *static_cast<task*>(arg);
            t.work(t.from.number(), t.from.size(), t.data);
        };
        return from.parallel(enter, &mine, unsigned(threads), 0);
    }
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work, i, threads, data);
    work(0, threads, data);
    for (auto& other : others) other.join();
}

// The same for a lambda (thread, threads).
template <class Body>
void team(const pool& from, int threads, Body&& body) {
    using Type = std::remove_reference_t<Body>;
    team(from, threads, [](int thread, int size, void* data) { (*static_cast<Type*>(data))(thread, size); }, &body);
}

SCAN_INLINE void pause() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Spins for some microseconds, then yields: a core lent to another process costs a time slice, not all of them.
class barrier {
  public:
    void wait(int threads) {
        if (threads <= 1) return;
        const unsigned now = turn.load(std::memory_order_acquire);
        if (arrived.fetch_add(1, std::memory_order_acq_rel) == threads - 1) {
            arrived.store(0, std::memory_order_relaxed);
            turn.store(now + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn.load(std::memory_order_acquire) == now; ++spins)
            spins < 2000 ? pause() : std::this_thread::yield();
    }

  private:
    alignas(64) std::atomic<int> arrived{0};
    alignas(64) std::atomic<unsigned> turn{0};
};

}  // namespace scan
