// Index arithmetic and vectorized loads and stores. Both decide how much of the memory bandwidth is
// reached: a 64-bit division takes dozens of instructions even for small numbers, and a thread that
// moves 4 bytes at a time waits for each of them.

// A divisor of indices, with a multiplier that replaces the division by a multiplication, an
// addition and a shift (Granlund and Montgomery, 1994). launch.py computes it; indices are below
// 2^31.
struct Extent {
    int count;
    unsigned multiplier;
    __device__ operator int() const { return count; }
};

__device__ unsigned operator/(unsigned i, Extent by)
{
    return (__umulhi(i, by.multiplier) + i) >> (32 - __clz(by.count - 1));
}

__device__ unsigned operator%(unsigned i, Extent by) { return i - i / by * by.count; }

// The position of an element in planes of height x width; `next` advances by one element.
struct Spot {
    int plane, y, x, height, width;
    __device__ Spot(unsigned i, Extent height, Extent width)
        : height(height.count), width(width.count)
    {
        unsigned row = i / width;
        x = i - row * this->width;
        plane = row / height;
        y = row - plane * this->height;
    }
    __device__ bool stays(int) const { return false; }
    __device__ void next()
    {
        if (++x < width) return;
        x = 0;
        if (++y < height) return;
        y = 0;
        ++plane;
    }
};

// The channel of an element of items x channels x places.
struct Channel {
    int channel, place, channels, places;
    __device__ Channel(unsigned i, Extent channels, Extent places)
        : channels(channels.count), places(places.count)
    {
        unsigned plane = i / places;
        place = i - plane * this->places;
        channel = plane % channels;
    }
    __device__ operator int() const { return channel; }
    __device__ bool stays(int more) const { return place + more <= places; }
    __device__ void next()
    {
        if (++place < places) return;
        place = 0;
        if (++channel == channels) channel = 0;
    }
};

// Used where the position does not matter.
struct Nowhere {
    __device__ bool stays(int) const { return true; }
    __device__ void next() {}
};

// Elements per thread and access: 16 bytes of values.
#define PACK (16 / (int)sizeof(stored))

// The storage type of elements, and the type that is computed with.
template <class T> struct Element { typedef T kept; typedef T value; };
template <class T> struct Element<const T> : Element<T> {};
template <> struct Element<stored> { typedef stored kept; typedef float value; };

template <class T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Pack { T of[N]; };

template <class T> __device__ bool is_aligned(T* array)
{
    return (unsigned long long)array % alignof(Pack<typename Element<T>::kept, PACK>) == 0;
}

// N elements of an array, loaded at once, and stored at once unless they are const. A missing array
// reads as zeros. The compiler drops loads whose values are not used.
template <class T, int N> struct Held {
    typedef Pack<typename Element<T>::kept, N> Kept;
    T* at;
    typename Element<T>::value of[N];
    __device__ Held(T* array, unsigned i) : at(array ? array + i : array)
    {
        Kept kept = {};
        if (at) kept = *(const Kept*)at;
        for (int k = 0; k < N; ++k) of[k] = kept.of[k];
    }
    __device__ void store() const { store_at(at); }
    __device__ void store_at(const void*) const {}
    __device__ void store_at(typename Element<T>::kept* there) const
    {
        if (!there) return;
        Kept kept;
        for (int k = 0; k < N; ++k) kept.of[k] = of[k];
        *(Kept*)there = kept;
    }
};

template <int N, class Where, class Look, class F, class... H>
__device__ void apply(Where where, Look look, F f, H... held)
{
    if (where.stays(N)) {
        auto seen = look(where);
        for (int k = 0; k < N; ++k) f(seen, held.of[k]...);
    } else {
        for (int k = 0; k < N; ++k, where.next()) f(look(where), held.of[k]...);
    }
    (held.store(), ...);
}

// f(look(where), elements...) for each of `count` elements; from(index) gives the position, and
// look is called once for a pack within one place. Unaligned arrays, and the tail after the last
// whole pack, are processed element by element.
template <class From, class Look, class F, class... T>
__device__ void walk(unsigned count, From from, Look look, F f, T*... arrays)
{
    unsigned thread = blockIdx.x * BLOCK + threadIdx.x, threads = gridDim.x * BLOCK;
    unsigned packs = (is_aligned(arrays) && ...) ? count / PACK : 0;
    for (unsigned i = thread; i < packs; i += threads)
        apply<PACK>(from(i * PACK), look, f, Held<T, PACK>(arrays, i * PACK)...);
    for (unsigned i = packs * PACK + thread; i < count; i += threads)
        apply<1>(from(i), look, f, Held<T, 1>(arrays, i)...);
}

// A function that does not get the position.
template <class F> struct Anywhere {
    F& f;
    template <class... E> __device__ void operator()(Nowhere, E&... elements) { f(elements...); }
};

struct Same {
    template <class T> __device__ T operator()(T given) { return given; }
};

// f(elements...) for each of `count` elements: by value for const arrays, by reference for others.
template <class F, class... T> __device__ void each(unsigned count, F f, T*... arrays)
{
    auto from = [=](unsigned) { return Nowhere(); };
    walk(count, from, Same(), Anywhere<F>{f}, arrays...);
}

// f(of(channel), elements...) for each element of items x channels x places.
template <class Of, class F, class... T>
__device__ void each_in_channels(
    int items, Extent channels, Extent places, Of of, F f, T*... arrays)
{
    auto from = [=](unsigned i) { return Channel(i, channels, places); };
    walk((unsigned)items * channels.count * places.count, from, of, f, arrays...);
}

// The factor and the shift of a channel; the arrays may be null.
struct Line { float factor, shift; };

__device__ Line line_of(const float* factor, const float* shift, int channel)
{
    return {factor ? factor[channel] : 1.0f, shift ? shift[channel] : 0.0f};
}

// The share of a channel's elements that one block processes: blocks are channels x parts.
struct Share {
    unsigned first, last;
    __device__ Share(unsigned count, unsigned part, unsigned parts)
    {
        unsigned size = (count + parts * PACK - 1) / (parts * PACK) * PACK;
        first = min(part * size, count);
        last = min(first + size, count);
    }
    __device__ unsigned size() const { return last - first; }
};

// The index of the i-th element of the block's channel.
__device__ unsigned in_channel(unsigned i, int channels, Extent places)
{
    unsigned item = i / places;
    return (item * channels + blockIdx.x) * places.count + (i - item * places.count);
}

// f(elements...) for each element of the block's share.
template <class F, class... T>
__device__ void each_of_share(Share share, int channels, Extent places, F f, T*... arrays)
{
    Anywhere<F> g = {f};
    Same same;
    if (places.count % PACK == 0 && (is_aligned(arrays) && ...))
        for (unsigned i = share.first + threadIdx.x * PACK; i < share.last; i += BLOCK * PACK) {
            unsigned at = in_channel(i, channels, places);
            apply<PACK>(Nowhere(), same, g, Held<T, PACK>(arrays, at)...);
        }
    else
        for (unsigned i = share.first + threadIdx.x; i < share.last; i += BLOCK) {
            unsigned at = in_channel(i, channels, places);
            apply<1>(Nowhere(), same, g, Held<T, 1>(arrays, at)...);
        }
}
