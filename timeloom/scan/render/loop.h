// What a time loop needs beyond scan.h: the sweeps' own words, how a batch lies in memory, and the loop itself.
#pragma once
#include "scan.h"

namespace [[gnu::visibility("hidden")]] scan {

// ------------------------------------------------------------------------------------------------- sweeps' own words

constexpr real infinity = std::numeric_limits<real>::infinity();

SCAN_INLINE vec keep(vec x, vec, all) { return x; }
SCAN_INLINE vec keep(vec x, vec otherwise, int n) {
    for (int i = n; i < lanes; ++i) x[i] = otherwise[i];
    return x;
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
// x - floor(x / y) y. The fused multiply-add rounds nothing off, so that a quotient rounded up to a whole number is seen.
SCAN_INLINE vec remainder(vec x, vec y) {
#if defined(__FMA__)
    const vec q = floor(x / y);
    const mask simple = (abs(q) < real(1 << 22)) & (abs(y) < real(1e30));  // else its rounding, an infinity or a NaN
    if (across_sum(select(simple, broadcast(1), vec{})) == lanes) {
        const vec r = fma(-q, y, x);
        const vec whole = q - select((r != 0) & ((r < 0) != (y < 0)), broadcast(1), vec{});
        return fma(-whole, y, x);
    }
#endif
    for (int i = 0; i < lanes; ++i) {
        const real r = std::fmod(x[i], y[i]);
        x[i] = r != 0 && (r < 0) != (y[i] < 0) ? r + y[i] : r;
    }
    return x;
}

// ------------------------------------------------------------------------------------------------ a batch in memory

// Sequences of any lengths, the longest first. Step t is in the first active(t) of them, and its rows lie at start(t).
// States have B rows more: those before the first step, then those after each step.
struct batch {
    long T, B;
    const std::int64_t *actives, *starts;  // (T) each; null where every sequence has T steps
    const std::int64_t* order;             // (B) where the caller has each sequence; null: as they lie
    bool reverse;                          // read from the end of each sequence to its beginning
    bool once;                             // a single step: weights are used as they are where that serves

    long active(long t) const { return actives ? long(actives[t]) : B; }
    long start(long t) const { return starts ? long(starts[t]) : t * B; }
    long boundary(long t) const { return t ? B + start(t - 1) : 0; }  // the states between step t - 1 and step t
    long caller(long sequence) const { return order ? long(order[sequence]) : sequence; }
    long length(long sequence) const {
        if (!actives) return T;
        return std::partition_point(actives, actives + T, [&](std::int64_t a) { return a > sequence; }) - actives;
    }
    long first_state(long sequence) const { return sequence + (reverse ? boundary(length(sequence)) : 0); }
    long last_state(long sequence) const { return sequence + (reverse ? 0 : boundary(length(sequence))); }
};

// Where one step of some sequences has its rows.
struct moment {
    long row;            // in arrays with a row for each sequence and step
    long before, after;  // the states it began with and the ones it made, in arrays of states
    long sequence;       // in memory with a row for each sequence
    long staged;         // in memory with a row for each sequence and each step of a block
    long rows;
    long thread;
    int turn;  // which of the two gradients of a state is read; the other is written
};

// Some steps in a row: one thread's moments in the order of the loop; and the stretches of rows that they are together.
struct stretch {
    long row, staged, rows;
};
struct block {
    std::vector<moment> steps;
    std::vector<stretch> rows;
    explicit block(long most) {
        steps.reserve(most);
        rows.reserve(most);
    }
};

// The part that one thread has of all columns, and where it meets the others before the next stage.
struct portion {
    long number, of;
    barrier* door;
    void meet() const {
        if (of > 1) door->wait(int(of));
    }
};

// by_vectors over one portion of [0, width).
template <class Body>
SCAN_INLINE void by_columns(const portion& mine, long width, Body&& body) {
    const range some = part(up(width, lanes), mine.number, mine.of);
    by_vectors(some.from * lanes, std::min(width, some.to * lanes), body);
}

// Whether a factor is packed. For a single step dot products with its rows, where those lie in one piece, need none of
// it, whatever the batch: they round otherwise than tiles, and a sequence shall not notice its company.
inline bool packs(const batch& b, long column) {
    return !(b.once && serves_unpacked(b.B, column));
}

// A factor of every step, as the caller has it and, once packed, as a product wants it.
struct weights {
    matrix given;  // (N, K), transposed
    long N, K;
    real* packed;
    void pack(long thread, long threads) const {
        if (packed) scan::pack(given, N, K, packed, part(panels(N), thread, threads));
    }
};

inline void product(long rows, matrix A, const weights& w, real* C, long ldc, const portion& mine) {
    if (w.packed) product(rows, A, w.packed, w.K, w.N, C, ldc, false, part(panels(w.N), mine.number, mine.of));
    else product_unpacked(rows, A, w.given, w.K, w.N, C, ldc, part(up(w.N, lanes), mine.number, mine.of));
}

// The same for all steps of a block, which reads every panel of the weights once: A has a row for each step and sequence.
inline void product(const block& some, const real* A, const weights& w, real* C, const portion& mine) {
    const range columns = part(panels(w.N), mine.number, mine.of);
    for (long p = columns.from; p < (w.packed ? columns.to : columns.from + 1); ++p) {
        for (const stretch& s : some.rows) {
            const matrix rows{A + s.row * w.K, w.K, 1};
            real* const out = C + s.staged * w.N;
            if (w.packed) product(s.rows, rows, w.packed, w.K, w.N, out, w.N, false, {p, p + 1});
            else product(s.rows, rows, w, out, w.N, mine);
        }
    }
}

// ------------------------------------------------------------------------------------------------ the loop

// The sequences of one thread: neighbours, with about as many steps in all as every other thread's.
inline range share(const batch& b, int thread, int threads) {
    if (!b.actives) return part(b.B, thread, threads);
    const long total = b.T ? b.start(b.T - 1) + b.active(b.T - 1) : 0;
    const auto cut = [&](int i) {
        long sequence = 0;
        for (long before = 0; sequence < b.B && before * threads < total * i; ++sequence) before += b.length(sequence);
        return i == threads ? b.B : sequence;
    };
    return {cut(thread), cut(thread + 1)};
}

// How a team shares a loop. A thread needs some sequences of its own to be worth the reading of all weights; where there
// are too few, each has a share of the units, and all meet after every stage; and where there is little to do, one works.
struct teamwork {
    int threads;
    bool by_units;
};
inline teamwork share_work(const batch& b, int threads, long work_of_a_row) {
    constexpr long few = 1 << 16, much = 1 << 18;  // multiplications that a meeting is worth; that waking a team is
    const double work = double(work_of_a_row) * b.T * b.B;
    if (threads <= 1 || work < much) return {1, false};
    if (b.B >= 4 * threads) return {threads, false};
    if (b.B * work_of_a_row >= few * threads) return {threads, true};
    return {int(std::min<long>(threads, b.B)), false};
}

// How many steps a block has: enough rows for each thread that a panel of weights, once read, is used well.
inline long steps_of_a_block(const batch& b, teamwork how) {
    const long rows = how.by_units ? b.B : up(b.B, how.threads);
    return std::max(1L, std::min(b.T, up(96, std::max(1L, rows))));
}

// Calls begin(sequences), then, block by block, stage(block, portion), step(moment, portion) for each of its moments and
// settle(thread), and in the end end(sequences): through time (or, in a `back` loop, the other way), on a team.
template <class Pack, class Begin, class Stage, class Step, class Settle, class End>
void over_time(const batch& b, bool back, teamwork how, const pool& from, Pack pack, Begin begin, Stage stage, Step step,
               Settle settle, End end) {
    barrier packed, door;
    const long most = steps_of_a_block(b, how);
    std::vector<block> blocks(how.threads, block(most));
    team(from, how.threads, [&](int thread, int threads) {
        pack(thread, threads);
        packed.wait(threads);
        const range mine = how.by_units ? range{0, b.B} : share(b, thread, threads);
        const portion columns = how.by_units ? portion{thread, threads, &door} : portion{0, 1, nullptr};
        const bool first = !how.by_units || thread == 0;
        if (first) begin(mine);
        columns.meet();
        long last = b.T;
        while (last > 0 && b.active(last - 1) <= mine.from) --last;
        const bool down = b.reverse != back;
        block& some = blocks[thread];
        for (long from = 0; from < last; from += most) {
            const long count = std::min(most, last - from);
            some.steps.clear();
            some.rows.clear();
            for (long i = 0; i < count; ++i) {
                const long t = down ? last - 1 - from - i : from + i, slot = down ? count - 1 - i : i;
                const long rows = std::min(b.active(t), mine.to) - mine.from;
                const long early = b.boundary(t) + mine.from, late = b.boundary(t + 1) + mine.from;
                some.steps.push_back({b.start(t) + mine.from, b.reverse ? late : early, b.reverse ? early : late,
                                      mine.from, slot * b.B + mine.from, rows, thread, int((from + i) & 1)});
            }
            for (long slot = 0; slot < count; ++slot) {
                const moment& now = some.steps[down ? count - 1 - slot : slot];
                stretch* const open = some.rows.empty() ? nullptr : &some.rows.back();
                if (open && open->row + open->rows == now.row && open->staged + open->rows == now.staged)
                    open->rows += now.rows;
                else some.rows.push_back({now.row, now.staged, now.rows});
            }
            stage(some, columns);
            columns.meet();
            for (const moment& now : some.steps) step(now, columns);
            settle(thread);
        }
        if (first) end(mine);
    });
}

// Sums over all rows: a thread adds its rows of a block, then the block to all before it, so that little is rounded off.
inline void add_block(real* block, long width) {
    for (long j = 0; j < width; ++j) block[width + j] += block[j], block[j] = 0;
}
inline void collect(const real* of_thread, long threads, long stride, long width, real* out) {
    std::fill_n(out, width, real(0));
    for (long i = 0; i < threads; ++i)
        for (long j = 0; j < width; ++j) out[j] += of_thread[i * stride + j];
}

inline void copy_row(real* to, const real* from, long width) { std::copy_n(from, width, to); }

}  // namespace scan
