// Scatter-add of rows by index.

// Where several rows have the same index, the thread of the first one adds all of them, in order:
// no atomics, and a reproducible sum. Indices out of range are skipped.
extern "C" __global__ void add_rows(
    const float* dy, const wide* rows, float* dx, int count, int length, int limit)
{
    EACH(i, count * length) {
        wide first = i / length, row = rows[first];
        bool is_first = row >= 0 && row < limit;
        for (wide j = 0; j < first && is_first; ++j) is_first = rows[j] != row;
        if (!is_first) continue;
        float total = dx[row * length + i % length];
        for (wide j = first; j < count; ++j)
            if (rows[j] == row) total += dy[j * length + i % length];
        dx[row * length + i % length] = total;
    }
}
