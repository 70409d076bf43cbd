// Products over all steps at once: before the loop, and after it for the gradients of weights.
#include "scan.h"
using namespace scan;

// C (M, N) = A (M, K) B (K, N), any strides of A and B. The rows of C are split over the threads. Where B is small enough
// for a cache it is packed once; else, and for the long K of a weight's gradient, pass by pass.
SCAN_ENTRY int products(const pool* from, int threads, long M, long N, long K, const real* A, long row, long column,
                        const real* B, long brow, long bcolumn, real* C) {
    try {
        const long strips = up(M, tall);
        if (M * N * K < (1 << 18)) threads = 1;
        threads = int(std::max(1L, std::min<long>(threads, strips)));
        const auto rows_of = [&](int thread, int size) {
            const range s = part(strips, thread, size);
            return range{s.from * tall, std::min(M, s.to * tall)};
        };
        if (K <= 2 * deep || (M <= 512 && column == 1)) {
            room own(packed_size(N, K));
            real* const packed = own.take(packed_size(N, K));
            barrier ready;
            team(*from, threads, [&](int thread, int size) {
                pack({B, bcolumn, brow}, N, K, packed, part(panels(N), thread, size));
                ready.wait(size);
                const range mine = rows_of(thread, size);
                for (long r = mine.from; r < mine.to; r += 96)
                    product(std::min(96L, mine.to - r), {A + r * row, row, column}, packed, K, N, C + r * N, N, false,
                            {0, panels(N)});
            });
        } else {
            const long each = up(multiply_room(N), lanes) * lanes;
            room own(each * threads);
            real* const all = own.take(each * threads);
            team(*from, threads, [&](int thread, int size) {
                multiply(rows_of(thread, size), N, K, {A, row, column}, {B, brow, bcolumn}, C, N, all + thread * each);
            });
        }
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

// The same for a single step, which reads B but once.
SCAN_ENTRY int few_rows(const pool* from, int threads, long M, long N, long K, const real* A, long row, long column,
                        const real* B, long brow, long bcolumn, real* C) {
    if (!serves_unpacked(M, brow)) return products(from, threads, M, N, K, A, row, column, B, brow, bcolumn, C);
    team(*from, N * K < (1 << 18) ? 1 : threads, [&](int thread, int size) {
        product_unpacked(M, {A, row, column}, {B, bcolumn, brow}, K, N, C, N, part(up(N, lanes), thread, size));
    });
    return 0;
}

// Advice that a fresh block be made of huge pages: a first touch of each small one costs more than the arithmetic on it.
SCAN_ENTRY void prefer_huge_pages(void* data, long bytes) {
#if defined(__linux__)
    constexpr std::uintptr_t huge = 2 << 20;
    const auto at = reinterpret_cast<std::uintptr_t>(data), from = (at + huge - 1) / huge * huge;
    const auto to = (at + bytes) / huge * huge;
    if (from < to) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
#else
    (void)data, (void)bytes;
#endif
}

// What every kernel of this number type and these flags works with.
SCAN_ENTRY const toolbox* tools_of_kernels() {
    static const toolbox tools = {SCAN_BYTES, pack, product, product_unpacked};
    return &tools;
}
