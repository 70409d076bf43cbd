// LSTMCell
#include "loop.h"

using namespace scan;

namespace infer {

struct memory {
    real* x_1;  // (rows, 3)
    real* states_h;  // states (B + rows, 20)
    const real* input_bias_;  // (80)
    const real* recurrent_bias_;  // (80)
    weights recurrent_weight_transposed_;  // (20, 80)
    weights input_weight_transposed_;  // (3, 80)
    real* mm_1;  // (B, 80)
    real* mm;  // (steps of a block, B, 80)
    real* states_c[2];  // (B, 20)
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const mm_row = m.mm + (now.staged + r) * 80;
            real* const mm_1_row = m.mm_1 + (now.sequence + r) * 80;
            real* const states_c_row = m.states_c[now.turn] + (now.sequence + r) * 20;
            real* const states_h_after_row = m.states_h + (now.after + r) * 20;
            real* const states_c_next_row = m.states_c[now.turn ^ 1] + (now.sequence + r) * 20;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec mm_at_60 = load(mm_row + j + 60, n);
                const vec input_bias_v_60 = load(m.input_bias_ + j + 60, n);
                const vec add_60 = mm_at_60 + input_bias_v_60;
                const vec mm_1_at_60 = load(mm_1_row + j + 60, n);
                const vec recurrent_bias_v_60 = load(m.recurrent_bias_ + j + 60, n);
                const vec add_1_60 = mm_1_at_60 + recurrent_bias_v_60;
                const vec add_2_60 = add_60 + add_1_60;
                const vec sigmoid_2_ = sigmoid(add_2_60);
                const vec mm_at_20 = load(mm_row + j + 20, n);
                const vec input_bias_v_20 = load(m.input_bias_ + j + 20, n);
                const vec add_20 = mm_at_20 + input_bias_v_20;
                const vec mm_1_at_20 = load(mm_1_row + j + 20, n);
                const vec recurrent_bias_v_20 = load(m.recurrent_bias_ + j + 20, n);
                const vec add_1_20 = mm_1_at_20 + recurrent_bias_v_20;
                const vec add_2_20 = add_20 + add_1_20;
                const vec sigmoid_ = sigmoid(add_2_20);
                const vec state_2_at = load(states_c_row + j, n);
                const vec mul_4_ = sigmoid_ * state_2_at;
                const vec mm_at = load(mm_row + j, n);
                const vec input_bias_v = load(m.input_bias_ + j, n);
                const vec add_ = mm_at + input_bias_v;
                const vec mm_1_at = load(mm_1_row + j, n);
                const vec recurrent_bias_v = load(m.recurrent_bias_ + j, n);
                const vec add_1_ = mm_1_at + recurrent_bias_v;
                const vec add_2_ = add_ + add_1_;
                const vec sigmoid_1_ = sigmoid(add_2_);
                const vec mm_at_40 = load(mm_row + j + 40, n);
                const vec input_bias_v_40 = load(m.input_bias_ + j + 40, n);
                const vec add_40 = mm_at_40 + input_bias_v_40;
                const vec mm_1_at_40 = load(mm_1_row + j + 40, n);
                const vec recurrent_bias_v_40 = load(m.recurrent_bias_ + j + 40, n);
                const vec add_1_40 = mm_1_at_40 + recurrent_bias_v_40;
                const vec add_2_40 = add_40 + add_1_40;
                const vec tanh_ = tanh(add_2_40);
                const vec mul_5_ = sigmoid_1_ * tanh_;
                const vec add_3_ = mul_4_ + mul_5_;
                const vec tanh_1_ = tanh(add_3_);
                const vec mul_6_ = sigmoid_2_ * tanh_1_;
                store(states_h_after_row + j, mul_6_, n);
                store(states_c_next_row + j, add_3_, n);
            });
        }
    }
}

// What a block of steps needs of its inputs.
void stage(const memory& m, const block& some, const portion& mine) {
    product(some, m.x_1, m.input_weight_transposed_, m.mm, mine);
}

void step(const memory& m, const moment& now, const portion& mine) {
    product(now.rows, {m.states_h + now.before * 20, 20, 1}, m.recurrent_weight_transposed_, m.mm_1 + now.sequence * 80, 80, mine);
    mine.meet();
    sweep_1(m, now, mine);
    mine.meet();
}

}  // namespace infer

SCAN_ENTRY int infer_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace infer;
    const teamwork how = share_work(*b, threads, 6488);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 120 + ahead * 80 + (packs(*b, strides[0]) ? packed_size(80, 20) : 0) + (packs(*b, strides[2]) ? packed_size(80, 3) : 0) + 6 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        {{static_cast<real*>(p[4]), strides[1], strides[0]}, 80, 20, packs(*b, strides[0]) ? own.take(packed_size(80, 20)) : nullptr},
        {{static_cast<real*>(p[5]), strides[3], strides[2]}, 80, 3, packs(*b, strides[2]) ? own.take(packed_size(80, 3)) : nullptr},
        own.take(b->B * 80),
        own.take(ahead * 80),
        {own.take(b->B * 20), own.take(b->B * 20)},
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_transposed_.pack(thread, threads);
        m.input_weight_transposed_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(m.states_h + b->first_state(s) * 20, static_cast<real*>(p[6]) + b->caller(s) * 20, 20);
            for (real* part : m.states_c) copy_row(part + s * 20, static_cast<real*>(p[8]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            const long steps = b->length(b->reverse ? mine.from : s);
            copy_row(static_cast<real*>(p[7]) + b->caller(s) * 20, m.states_h + b->last_state(s) * 20, 20);
            copy_row(static_cast<real*>(p[9]) + b->caller(s) * 20, m.states_c[steps & 1] + s * 20, 20);
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
    real* states_c;  // states (B + rows, 20)
    real* sigmoid;  // (rows, 20)
    real* sigmoid_1;  // (rows, 20)
    real* tanh;  // (rows, 20)
    real* sigmoid_2;  // (rows, 20)
    real* tanh_1;  // (rows, 20)
    const real* input_bias_;  // (80)
    const real* recurrent_bias_;  // (80)
    weights recurrent_weight_transposed_;  // (20, 80)
    weights input_weight_transposed_;  // (3, 80)
    real* mm_1;  // (B, 80)
    real* mm;  // (steps of a block, B, 80)
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const mm_row = m.mm + (now.staged + r) * 80;
            real* const mm_1_row = m.mm_1 + (now.sequence + r) * 80;
            real* const states_c_before_row = m.states_c + (now.before + r) * 20;
            real* const states_h_after_row = m.states_h + (now.after + r) * 20;
            real* const states_c_after_row = m.states_c + (now.after + r) * 20;
            real* const sigmoid_row = m.sigmoid + (now.row + r) * 20;
            real* const sigmoid_1_row = m.sigmoid_1 + (now.row + r) * 20;
            real* const tanh_row = m.tanh + (now.row + r) * 20;
            real* const sigmoid_2_row = m.sigmoid_2 + (now.row + r) * 20;
            real* const tanh_1_row = m.tanh_1 + (now.row + r) * 20;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec mm_at_60 = load(mm_row + j + 60, n);
                const vec input_bias_v_60 = load(m.input_bias_ + j + 60, n);
                const vec add_60 = mm_at_60 + input_bias_v_60;
                const vec mm_1_at_60 = load(mm_1_row + j + 60, n);
                const vec recurrent_bias_v_60 = load(m.recurrent_bias_ + j + 60, n);
                const vec add_1_60 = mm_1_at_60 + recurrent_bias_v_60;
                const vec add_2_60 = add_60 + add_1_60;
                const vec sigmoid_2_ = sigmoid(add_2_60);
                const vec mm_at_20 = load(mm_row + j + 20, n);
                const vec input_bias_v_20 = load(m.input_bias_ + j + 20, n);
                const vec add_20 = mm_at_20 + input_bias_v_20;
                const vec mm_1_at_20 = load(mm_1_row + j + 20, n);
                const vec recurrent_bias_v_20 = load(m.recurrent_bias_ + j + 20, n);
                const vec add_1_20 = mm_1_at_20 + recurrent_bias_v_20;
                const vec add_2_20 = add_20 + add_1_20;
                const vec sigmoid_ = sigmoid(add_2_20);
                const vec state_2_at = load(states_c_before_row + j, n);
                const vec mul_4_ = sigmoid_ * state_2_at;
                const vec mm_at = load(mm_row + j, n);
                const vec input_bias_v = load(m.input_bias_ + j, n);
                const vec add_ = mm_at + input_bias_v;
                const vec mm_1_at = load(mm_1_row + j, n);
                const vec recurrent_bias_v = load(m.recurrent_bias_ + j, n);
                const vec add_1_ = mm_1_at + recurrent_bias_v;
                const vec add_2_ = add_ + add_1_;
                const vec sigmoid_1_ = sigmoid(add_2_);
                const vec mm_at_40 = load(mm_row + j + 40, n);
                const vec input_bias_v_40 = load(m.input_bias_ + j + 40, n);
                const vec add_40 = mm_at_40 + input_bias_v_40;
                const vec mm_1_at_40 = load(mm_1_row + j + 40, n);
                const vec recurrent_bias_v_40 = load(m.recurrent_bias_ + j + 40, n);
                const vec add_1_40 = mm_1_at_40 + recurrent_bias_v_40;
                const vec add_2_40 = add_40 + add_1_40;
                const vec tanh_ = tanh(add_2_40);
                const vec mul_5_ = sigmoid_1_ * tanh_;
                const vec add_3_ = mul_4_ + mul_5_;
                const vec tanh_1_ = tanh(add_3_);
                const vec mul_6_ = sigmoid_2_ * tanh_1_;
                store(states_h_after_row + j, mul_6_, n);
                store(states_c_after_row + j, add_3_, n);
                store(sigmoid_row + j, sigmoid_, n);
                store(sigmoid_1_row + j, sigmoid_1_, n);
                store(tanh_row + j, tanh_, n);
                store(sigmoid_2_row + j, sigmoid_2_, n);
                store(tanh_1_row + j, tanh_1_, n);
            });
        }
    }
}

// What a block of steps needs of its inputs.
void stage(const memory& m, const block& some, const portion& mine) {
    product(some, m.x_1, m.input_weight_transposed_, m.mm, mine);
}

void step(const memory& m, const moment& now, const portion& mine) {
    product(now.rows, {m.states_h + now.before * 20, 20, 1}, m.recurrent_weight_transposed_, m.mm_1 + now.sequence * 80, 80, mine);
    mine.meet();
    sweep_1(m, now, mine);
    mine.meet();
}

}  // namespace train

SCAN_ENTRY int train_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace train;
    const teamwork how = share_work(*b, threads, 6488);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 80 + ahead * 80 + (packs(*b, strides[0]) ? packed_size(80, 20) : 0) + (packs(*b, strides[2]) ? packed_size(80, 3) : 0) + 4 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        static_cast<real*>(p[4]),
        static_cast<real*>(p[5]),
        static_cast<real*>(p[6]),
        static_cast<real*>(p[7]),
        static_cast<real*>(p[8]),
        static_cast<real*>(p[9]),
        {{static_cast<real*>(p[10]), strides[1], strides[0]}, 80, 20, packs(*b, strides[0]) ? own.take(packed_size(80, 20)) : nullptr},
        {{static_cast<real*>(p[11]), strides[3], strides[2]}, 80, 3, packs(*b, strides[2]) ? own.take(packed_size(80, 3)) : nullptr},
        own.take(b->B * 80),
        own.take(ahead * 80),
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_transposed_.pack(thread, threads);
        m.input_weight_transposed_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(m.states_h + b->first_state(s) * 20, static_cast<real*>(p[12]) + b->caller(s) * 20, 20);
            copy_row(m.states_c + b->first_state(s) * 20, static_cast<real*>(p[14]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            copy_row(static_cast<real*>(p[13]) + b->caller(s) * 20, m.states_h + b->last_state(s) * 20, 20);
            copy_row(static_cast<real*>(p[15]) + b->caller(s) * 20, m.states_c + b->last_state(s) * 20, 20);
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
    real* sigmoid;  // (rows, 20)
    real* sigmoid_1;  // (rows, 20)
    real* tanh;  // (rows, 20)
    real* sigmoid_2;  // (rows, 20)
    real* tanh_1;  // (rows, 20)
    real* states_c;  // states (B + rows, 20)
    real* cat;  // (rows, 80)
    real* sum_1;  // (1, 80)
    weights recurrent_weight_;  // (80, 20)
    real* d_h[2];  // (B, 20)
    real* d_c[2];  // (B, 20)
    real* totals;  // (threads, 2, 80)  of a block of steps, of all before it
};

void sweep_1(const memory& m, const moment& now, const portion& mine) {
    for (long r = 0; r < now.rows; ++r) {
        {
            real* const d_c_row = m.d_c[now.turn] + (now.sequence + r) * 20;
            real* const grad_y_1_row = m.grad_y_1 + (now.row + r) * 20;
            real* const d_h_row = m.d_h[now.turn] + (now.sequence + r) * 20;
            real* const sigmoid_2_row = m.sigmoid_2 + (now.row + r) * 20;
            real* const tanh_1_row = m.tanh_1 + (now.row + r) * 20;
            real* const sigmoid_row = m.sigmoid + (now.row + r) * 20;
            real* const d_c_next_row = m.d_c[now.turn ^ 1] + (now.sequence + r) * 20;
            real* const tanh_row = m.tanh + (now.row + r) * 20;
            real* const sigmoid_1_row = m.sigmoid_1 + (now.row + r) * 20;
            real* const cat_row = m.cat + (now.row + r) * 80;
            real* const states_c_before_row = m.states_c + (now.before + r) * 20;
            real* const cat_from20_row = m.cat + (now.row + r) * 80 + 20;
            real* const cat_from40_row = m.cat + (now.row + r) * 80 + 40;
            real* const cat_from60_row = m.cat + (now.row + r) * 80 + 60;
            real* const totals_row = m.totals + now.thread * 160;
            real* const totals_from20_row = m.totals + now.thread * 160 + 20;
            real* const totals_from40_row = m.totals + now.thread * 160 + 40;
            real* const totals_from60_row = m.totals + now.thread * 160 + 60;
            by_columns(mine, 20, [&](long j, auto n) SCAN_LAMBDA {
                const vec grad_state_2_at = load(d_c_row + j, n);
                const vec grad_y_1_at = load(grad_y_1_row + j, n);
                const vec grad_state_1_at = load(d_h_row + j, n);
                const vec add_4_ = grad_y_1_at + grad_state_1_at;
                const vec sigmoid_2_at = load(sigmoid_2_row + j, n);
                const vec mul_7_ = add_4_ * sigmoid_2_at;
                const vec tanh_1_at = load(tanh_1_row + j, n);
                const vec mul_9_ = tanh_1_at * tanh_1_at;
                const vec sub_ = broadcast(real(1.0)) - mul_9_;
                const vec mul_10_ = mul_7_ * sub_;
                const vec add_5_ = grad_state_2_at + mul_10_;
                const vec sigmoid_at = load(sigmoid_row + j, n);
                const vec mul_19_ = add_5_ * sigmoid_at;
                store(d_c_next_row + j, mul_19_, n);
                const vec tanh_at = load(tanh_row + j, n);
                const vec mul_14_ = add_5_ * tanh_at;
                const vec sigmoid_1_at = load(sigmoid_1_row + j, n);
                const vec sub_3_ = broadcast(real(1.0)) - sigmoid_1_at;
                const vec mul_17_ = sigmoid_1_at * sub_3_;
                const vec mul_18_ = mul_14_ * mul_17_;
                store(cat_row + j, mul_18_, n);
                const vec state_2_at = load(states_c_before_row + j, n);
                const vec mul_20_ = add_5_ * state_2_at;
                const vec sub_4_ = broadcast(real(1.0)) - sigmoid_at;
                const vec mul_21_ = sigmoid_at * sub_4_;
                const vec mul_22_ = mul_20_ * mul_21_;
                store(cat_from20_row + j, mul_22_, n);
                const vec mul_13_ = add_5_ * sigmoid_1_at;
                const vec mul_15_ = tanh_at * tanh_at;
                const vec sub_2_ = broadcast(real(1.0)) - mul_15_;
                const vec mul_16_ = mul_13_ * sub_2_;
                store(cat_from40_row + j, mul_16_, n);
                const vec mul_8_ = add_4_ * tanh_1_at;
                const vec sub_1_ = broadcast(real(1.0)) - sigmoid_2_at;
                const vec mul_11_ = sigmoid_2_at * sub_1_;
                const vec mul_12_ = mul_8_ * mul_11_;
                store(cat_from60_row + j, mul_12_, n);
                store(totals_row + j, load(totals_row + j, n) + mul_18_, n);
                store(totals_from20_row + j, load(totals_from20_row + j, n) + mul_22_, n);
                store(totals_from40_row + j, load(totals_from40_row + j, n) + mul_16_, n);
                store(totals_from60_row + j, load(totals_from60_row + j, n) + mul_12_, n);
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
    product(now.rows, {m.cat + now.row * 80, 80, 1}, m.recurrent_weight_, m.d_h[now.turn ^ 1] + now.sequence * 20, 20, mine);
    mine.meet();
}

}  // namespace back

SCAN_ENTRY int back_loop(const batch* b, void* const* p, const std::int64_t* strides,
                          int threads, const pool* from) try {
    using namespace back;
    const teamwork how = share_work(*b, threads, 6080);
    const long ahead = b->B * steps_of_a_block(*b, how);
    room own(b->B * 80 + (packs(*b, strides[0]) ? packed_size(20, 80) : 0) + threads * 160 + 6 * lanes);
    const memory m{
        static_cast<real*>(p[0]),
        static_cast<real*>(p[1]),
        static_cast<real*>(p[2]),
        static_cast<real*>(p[3]),
        static_cast<real*>(p[4]),
        static_cast<real*>(p[5]),
        static_cast<real*>(p[6]),
        static_cast<real*>(p[7]),
        static_cast<real*>(p[8]),
        {{static_cast<real*>(p[9]), strides[1], strides[0]}, 20, 80, packs(*b, strides[0]) ? own.take(packed_size(20, 80)) : nullptr},
        {own.take(b->B * 20), own.take(b->B * 20)},
        {own.take(b->B * 20), own.take(b->B * 20)},
        own.take(threads * 160),
    };
    const auto pack = [&](int thread, int threads) {
        m.recurrent_weight_.pack(thread, threads);
    };
    const auto begin = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            for (real* part : m.d_h) copy_row(part + s * 20, static_cast<real*>(p[10]) + b->caller(s) * 20, 20);
            for (real* part : m.d_c) copy_row(part + s * 20, static_cast<real*>(p[12]) + b->caller(s) * 20, 20);
        }
    };
    const auto ahead_of = [&](const block& some, const portion& mine) { stage(m, some, mine); };
    const auto one = [&](const moment& now, const portion& mine) { step(m, now, mine); };
    const auto end = [&](range mine) {
        for (long s = mine.from; s < mine.to; ++s) {
            const long steps = b->length(!b->reverse ? mine.from : s);
            copy_row(static_cast<real*>(p[11]) + b->caller(s) * 20, m.d_h[steps & 1] + s * 20, 20);
            copy_row(static_cast<real*>(p[13]) + b->caller(s) * 20, m.d_c[steps & 1] + s * 20, 20);
        }
    };
    std::fill_n(m.totals, threads * 160, real(0));
    const auto settle = [&](int thread) { add_block(m.totals + thread * 160, 80); };
    over_time(*b, true, how, *from, pack, begin, ahead_of, one, settle, end);
    collect(m.totals + 80, threads, 160, 80, m.sum_1);
    return 0;
} catch (const std::bad_alloc&) {
    return 1;
}
