// One step of an LSTM: the gates i, f, o, g of a stream are contiguous, `outputs` of each.

extern "C" __global__ void forward(
    const float* cont, const float* c_before, float* acts, float* c, float* tanh_c, float* h,
    int streams, int outputs)
{
    EACH(at, streams * outputs) {
        unsigned stream = at / outputs;
        float* gates = acts + stream * 4 * outputs + at % outputs;
        float i = sigmoid(gates[0]), f = sigmoid(gates[outputs]) * cont[stream];
        float o = sigmoid(gates[2 * outputs]), g = tanhf(gates[3 * outputs]);
        float cell = f * c_before[at] + i * g, squashed = tanhf(cell);
        gates[0] = i;
        gates[outputs] = f;
        gates[2 * outputs] = o;
        gates[3 * outputs] = g;
        c[at] = cell;
        tanh_c[at] = squashed;
        h[at] = o * squashed;
    }
}

extern "C" __global__ void backward(
    const float* c_before, const float* acts, const float* tanh_c, const float* dc,
    const float* dh, float* dacts, float* dc_before, int streams, int outputs)
{
    EACH(at, streams * outputs) {
        unsigned first = at / outputs * 4 * outputs + at % outputs;
        const float* gates = acts + first;
        float* dgates = dacts + first;
        float i = gates[0], f = gates[outputs], o = gates[2 * outputs], g = gates[3 * outputs];
        float dcell = dc[at] + dh[at] * o * (1.0f - tanh_c[at] * tanh_c[at]);
        dgates[0] = dcell * g * i * (1.0f - i);
        dgates[outputs] = dcell * c_before[at] * f * (1.0f - f);
        dgates[2 * outputs] = dh[at] * tanh_c[at] * o * (1.0f - o);
        dgates[3 * outputs] = dcell * i * (1.0f - g * g);
        dc_before[at] = dcell * f;
    }
}
