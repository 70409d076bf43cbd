// The best path of each sequence (Viterbi): its tags, the smaller one where two are as good.
#include "scan.h"
#include <cstring>
using namespace scan;

namespace {

// The best way into each of some tags: the score, and the tag it comes from.
template <int V>
void best_ways(const real* alpha, const real* transitions, long K, long width, const real* emissions, real* next,
               integer* origin) {
    vec best[V];
    mask from[V];
    for (int v = 0; v < V; ++v) best[v] = broadcast(-std::numeric_limits<real>::infinity()), from[v] = mask{};
    for (long i = 0; i < K; ++i) {
        const vec before = broadcast(alpha[i]);
        const mask here = mask{} + integer(i);
#pragma GCC unroll 4
        for (int v = 0; v < V; ++v) {
            const vec score = before + load(transitions + i * width + v * lanes);
            const mask better = score > best[v];
            best[v] = better ? score : best[v];
            from[v] = better ? here : from[v];
        }
    }
    for (int v = 0; v < V; ++v) {
        store(next + v * lanes, best[v] + load(emissions + v * lanes));
        std::memcpy(origin + v * lanes, &from[v], sizeof(mask));
    }
}

// Brings the best of K scores to 0, so that long sequences lose no digits.
void lower(real* scores, long K) {
    real most = scores[0];
    for (long j = 1; j < K; ++j) most = scores[j] > most ? scores[j] : most;
    if (most == -std::numeric_limits<real>::infinity()) return;
    for (long j = 0; j < K; ++j) scores[j] -= most;
}

}  // namespace

// emissions (B, T, K), transitions (K, K), start and end (K), lengths (B) → path (B, T), which holds -1 already.
SCAN_ENTRY int best_path(const pool* from, int threads, long B, long T, long K, const real* emissions,
                         const real* transitions, const real* start, const real* end, const std::int64_t* lengths,
                         std::int64_t* path) {
    try {
        const long width = up(K, lanes) * lanes;
        const real nothing = -std::numeric_limits<real>::infinity();
        std::vector<real> padded(K * width + lanes, nothing);
        for (long i = 0; i < K; ++i) std::copy_n(transitions + i * K, K, padded.data() + i * width);
        if (B * T * K * K < (1 << 18)) threads = 1;
        threads = int(std::max(1L, std::min<long>(threads, B)));
        std::vector<std::vector<real>> scores(threads, std::vector<real>(3 * width, nothing));
        std::vector<std::vector<integer>> origins(threads, std::vector<integer>(T * width));
        team(*from, threads, [&](int thread, int size) {
            const range mine = part(B, thread, size);
            real *alpha = scores[thread].data(), *next = alpha + width, *const e = next + width;
            for (long b = mine.from; b < mine.to; ++b) {
                const real* const emitted = emissions + b * T * K;
                const long length = lengths[b];
                if (length == 0) continue;
                for (long j = 0; j < K; ++j) alpha[j] = emitted[j] + start[j];
                lower(alpha, K);
                for (long t = 1; t < length; ++t) {
                    std::copy_n(emitted + t * K, K, e);
                    integer* const origin = origins[thread].data() + t * width;
                    long j = 0;
                    for (; j + 4 * lanes <= width; j += 4 * lanes)
                        best_ways<4>(alpha, padded.data() + j, K, width, e + j, next + j, origin + j);
                    for (; j < width; j += lanes)
                        best_ways<1>(alpha, padded.data() + j, K, width, e + j, next + j, origin + j);
                    lower(next, K);
                    std::swap(alpha, next);
                }
                long at = 0;
                for (long j = 1; j < K; ++j)
                    if (alpha[j] + end[j] > alpha[at] + end[at]) at = j;
                for (long t = length - 1; t >= 0; --t) {
                    path[b * T + t] = at;
                    at = t ? long(origins[thread][t * width + at]) : at;
                }
            }
        });
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}
