// ElmanCell
#include "loop.h"

using namespace scan;

namespace infer {

struct memory {
    real* x_1;  // (rows, 3)
    real* states_h;  // states (B + rows, 20)
    const real* input_bias_;  // (20)
    const real* recurrent_bias_;  // (20)
    weights recurrent_weight_transposed_;  // (20, 20)
    weights input_weight_transposed_;  // (3, 20)
    real* mm_1;  // (B, 20)
    real* mm;  // (steps of a block, B, 20)
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const mm_row = m.mm + (now.staged + r) * 20;
            real* const mm_1_row = m.mm_1 + (now.sequence + r) * 20;
            real* const states_h_after_row = m.states_h + (now.after + r) * 20;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec mm_at = load(mm_row + j, n);
                const vec input_bias_v = load(m.input_bias_ + j, n);
                const vec add_ = mm_at + input_bias_v;
                const vec mm_1_at = load(mm_1_row + j, n);
                const vec recurrent_bias_v = load(m.recurrent_bias_ + j, n);
                const vec add_1_ = mm_1_at + recurrent_bias_v;
                const vec add_2_ = add_ + add_1_;
                const vec tanh_ = tanh(add_2_);
                store(states_h_after_row + j, tanh_, n);
            });
        }
    }
}

// What a block of steps needs of its inputs.
void stage(const memory& m, const block& some, const portion& mine) {
    product(some, m.x_1, m.input_weight_transposed_, m.mm, mine);
}

void step(const memory& m, const moment& now, const portion& mine) {
    product(now.rows, {m.states_h + now.before * 20, 20, 1}, m.recurrent_weight_transposed_, m.mm_1 + now.sequence * 20, 20, mine);
    mine.meet();
    sweep_1(m, now, mine);
    mine.meet();
}

}  // namespace infer

SCAN_ENTRY int infer_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace infer;
    const teamwork how = share_work(*b, threads, 1260);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 20 + ahead * 20 + (packs(*b, strides[0]) ? packed_size(20, 20) : 0) + (packs(*b, strides[2]) ? packed_size(20, 3) : 0) + 4 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        {{static_cast<real*>(p[4]), strides[1], strides[0]}, 20, 20, packs(*b, strides[0]) ? own.take(packed_size(20, 20)) : nullptr},
        {{static_cast<real*>(p[5]), strides[3], strides[2]}, 20, 3, packs(*b, strides[2]) ? own.take(packed_size(20, 3)) : nullptr},
        own.take(b->B * 20),
        own.take(ahead * 20),
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_transposed_.pack(thread, threads);
        m.input_weight_transposed_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(m.states_h + b->first_state(s) * 20, static_cast<real*>(p[6]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(static_cast<real*>(p[7]) + b->caller(s) * 20, m.states_h + b->last_state(s) * 20, 20);
        }
    };
    const auto settle = [](int) {};
    over_time(*b, false, how, *from, pack, begin, ahead_of, one, settle, end);
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

namespace train {

struct memory {
    real* x_1;  // (rows, 3)
    real* states_h;  // states (B + rows, 20)
    const real* input_bias_;  // (20)
    const real* recurrent_bias_;  // (20)
    weights recurrent_weight_transposed_;  // (20, 20)
    weights input_weight_transposed_;  // (3, 20)
    real* mm_1;  // (B, 20)
    real* mm;  // (steps of a block, B, 20)
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const mm_row = m.mm + (now.staged + r) * 20;
            real* const mm_1_row = m.mm_1 + (now.sequence + r) * 20;
            real* const states_h_after_row = m.states_h + (now.after + r) * 20;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec mm_at = load(mm_row + j, n);
                const vec input_bias_v = load(m.input_bias_ + j, n);
                const vec add_ = mm_at + input_bias_v;
                const vec mm_1_at = load(mm_1_row + j, n);
                const vec recurrent_bias_v = load(m.recurrent_bias_ + j, n);
                const vec add_1_ = mm_1_at + recurrent_bias_v;
                const vec add_2_ = add_ + add_1_;
                const vec tanh_ = tanh(add_2_);
                store(states_h_after_row + j, tanh_, n);
            });
        }
    }
}

// What a block of steps needs of its inputs.
void stage(const memory& m, const block& some, const portion& mine) {
    product(some, m.x_1, m.input_weight_transposed_, m.mm, mine);
}

void step(const memory& m, const moment& now, const portion& mine) {
    product(now.rows, {m.states_h + now.before * 20, 20, 1}, m.recurrent_weight_transposed_, m.mm_1 + now.sequence * 20, 20, mine);
    mine.meet();
    sweep_1(m, now, mine);
    mine.meet();
}

}  // namespace train

SCAN_ENTRY int train_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace train;
    const teamwork how = share_work(*b, threads, 1260);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 20 + ahead * 20 + (packs(*b, strides[0]) ? packed_size(20, 20) : 0) + (packs(*b, strides[2]) ? packed_size(20, 3) : 0) + 4 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        {{static_cast<real*>(p[4]), strides[1], strides[0]}, 20, 20, packs(*b, strides[0]) ? own.take(packed_size(20, 20)) : nullptr},
        {{static_cast<real*>(p[5]), strides[3], strides[2]}, 20, 3, packs(*b, strides[2]) ? own.take(packed_size(20, 3)) : nullptr},
        own.take(b->B * 20),
        own.take(ahead * 20),
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_transposed_.pack(thread, threads);
        m.input_weight_transposed_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(m.states_h + b->first_state(s) * 20, static_cast<real*>(p[6]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(static_cast<real*>(p[7]) + b->caller(s) * 20, m.states_h + b->last_state(s) * 20, 20);
        }
    };
    const auto settle = [](int) {};
    over_time(*b, false, how, *from, pack, begin, ahead_of, one, settle, end);
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}

namespace back {

struct memory {
    real* grad_y_1;  // (rows, 20)
    real* states_h;  // states (B + rows, 20)
    real* mul_5;  // (rows, 20)
    real* sum_1;  // (1, 20)
    weights recurrent_weight_;  // (20, 20)
    real* d_h[2];  // (B, 20)
    real* totals;  // (threads, 2, 32)  of a block of steps, of all before it
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const grad_y_1_row = m.grad_y_1 + (now.row + r) * 20;
            real* const d_h_row = m.d_h[now.turn] + (now.sequence + r) * 20;
            real* const states_h_after_row = m.states_h + (now.after + r) * 20;
            real* const mul_5_row = m.mul_5 + (now.row + r) * 20;
            real* const totals_row = m.totals + now.thread * 64;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec grad_y_1_at = load(grad_y_1_row + j, n);
                const vec grad_state_1_at = load(d_h_row + j, n);
                const vec add_3_ = grad_y_1_at + grad_state_1_at;
                const vec tanh_at = load(states_h_after_row + j, n);
                const vec mul_4_ = tanh_at * tanh_at;
                const vec sub_ = broadcast(real(1.0)) - mul_4_;
                const vec mul_5_ = add_3_ * sub_;
                store(mul_5_row + j, mul_5_, n);
                store(totals_row + j, load(totals_row + j, n) + mul_5_, n);
            });
        }
    }
}

// What a block of steps needs of its inputs.
void stage(const memory& m, const block& some, const portion& mine) {
    (void)m, (void)some, (void)mine;
}

void step(const memory& m, const moment& now, const portion& mine) {
    sweep_1(m, now, mine);
    mine.meet();
    product(now.rows, {m.mul_5 + now.row * 20, 20, 1}, m.recurrent_weight_, m.d_h[now.turn ^ 1] + now.sequence * 20, 20, mine);
    mine.meet();
}

}  // namespace back

SCAN_ENTRY int back_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace back;
    const teamwork how = share_work(*b, threads, 1200);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 40 + (packs(*b, strides[0]) ? packed_size(20, 20) : 0) + threads * 64 + 4 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        {{static_cast<real*>(p[4]), strides[1], strides[0]}, 20, 20, packs(*b, strides[0]) ? own.take(packed_size(20, 20)) : nullptr},
        {own.take(b->B * 20), own.take(b->B * 20)},
        own.take(threads * 64),
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            for (real* part : m.d_h) copy_row(part + s * 20, static_cast<real*>(p[5]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            const long steps = b->length(!b->reverse ? mine.from : s);
            copy_row(static_cast<real*>(p[6]) + b->caller(s) * 20, m.d_h[steps & 1] + s * 20, 20);
        }
    };
    std::fill_n(m.totals, threads * 64, real(0));
    const auto settle = [&](int thread) { add_block(m.totals + thread * 64, 32); };
    over_time(*b, true, how, *from, pack, begin, ahead_of, one, settle, end);
    collect(m.totals + 32, threads, 64, 20, m.sum_1);
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}
