// Arrays of items x channels x places, and per-channel reductions.
#pragma once

#include <vector>

#include "sweep.h"

struct Planes {
  Index items, channels, places;

  Index values() const { return items * places; }  // of a channel
  Index size() const { return items * channels * places; }

  // Whether adjacent elements belong to different channels, so that vectors run across channels.
  bool across() const { return places == 1; }

  // Pieces that the values of a channel are split into, so that few channels still use many
  // threads.
  Index pieces() const {
    return std::clamp<Index>(values() / kShare, 1, std::max<Index>(1, 32 / channels));
  }
  Index begin_of(Index piece) const { return values() * piece / pieces(); }

  // body(offset, count) for each contiguous run of a channel's values [begin, end).
  template <class F>
  void runs(Index channel, Index begin, Index end, F&& body) const {
    if (begin >= end) return;
    Index item = begin / places, place = begin % places;
    for (Index left = end - begin; left > 0; ++item, place = 0) {
      const Index count = std::min(left, places - place);
      body((item * channels + channel) * places + place, count);
      left -= count;
    }
  }

  // body(channel, begin, end) for every piece, in parallel where the work is worth it.
  template <class F>
  void each_piece(F&& body) const {
    const Index pieces = this->pieces(), count = channels * pieces;
    const auto one = [&](Index task) {
      const Index piece = task % pieces;
      body(task / pieces, piece, begin_of(piece), begin_of(piece + 1));
    };
    if (size() <= 2 * kShare) {
      for (Index task = 0; task < count; ++task) one(task);
    } else {
      parallel(count, one);
    }
  }

  // body(first, last) for fixed ranges of channels, for arrays whose vectors run across channels.
  template <class F>
  void each_range(F&& body) const {
    const Index width = size() <= 2 * kShare ? channels : 4 * kLanes;
    const auto one = [&](Index range) {
      body(range * width, std::min(channels, (range + 1) * width));
    };
    const Index count = (channels + width - 1) / width;
    count == 1 ? one(0) : parallel(count, one);
  }
};

// Per-channel parameters as vectors: a broadcast for one channel, or a load where vectors run
// across channels.
struct OfOne {
  Index channel;
  Vec of(const float* p, float missing) const {
    return splat(p == nullptr ? missing : p[channel]);
  }
};
template <class Part>
struct OfMany {
  Index channel;
  Part part;
  Vec of(const float* p, float missing) const {
    return p == nullptr ? splat(missing) : part.load(p + channel);
  }
};

// `make(numbers)` gives body(offset, part) for the vectors of those channels; as a constant, so that
// all callers share what is compiled for it. This one covers a range of values of one channel, where
// vectors do not run across channels.
template <class Make>
void each_of_channel(const Planes& planes, Index channel, Index begin, Index end, const Make& make) {
  const auto body = make(OfOne{channel});
  planes.runs(channel, begin, end, [&](Index offset, Index count) {
    sweep(count, [&](Index i, auto part) { body(offset + i, part); });
  });
}

// The same for all vectors, on all threads.
template <class Make>
void each_vector(const Planes& planes, const Make& make) {
  if (planes.across()) {
    const auto rows = [&](Index begin, Index end) {
      for (Index item = begin; item < end; ++item)
        sweep(planes.channels, [&](Index c, auto part) {
          make(OfMany<decltype(part)>{c, part})(item * planes.channels + c, part);
        });
    };
    const Index height = std::max<Index>(1, kShare / planes.channels);
    if (planes.size() <= 2 * kShare) return rows(0, planes.items);
    parallel((planes.items + height - 1) / height, [&](Index share) {
      rows(share * height, std::min(planes.items, (share + 1) * height));
    });
    return;
  }
  planes.each_piece([&](Index channel, Index, Index begin, Index end) {
    each_of_channel(planes, channel, begin, end, make);
  });
}

// Lane-wise accumulation in float32, flushed to doubles every kWhile vectors.
template <int kSums>
struct Sums {
  static constexpr Index kWhile = 32;  // vectors

  void take(const Vec (&some)[kSums]) {
    for (int k = 0; k < kSums; ++k)
      for (Index lane = 0; lane < kLanes; ++lane) lanes[k][lane] += some[k][lane];
  }
  double total(int k) const {
    double total = 0;
    for (Index lane = 0; lane < kLanes; ++lane) total += lanes[k][lane];
    return total;
  }

  double lanes[kSums][kLanes] = {};
};

template <int kSums, class Make, class Found>
void reduce_across(const Planes& planes, const Make& make, Found&& found) {
  planes.each_range([&](Index first, Index last) {
    sweep(last - first, [&](Index i, auto part) {
      const Index channel = first + i;
      const auto terms = make(OfMany<decltype(part)>{channel, part});
      Sums<kSums> sums;
      for (Index item = 0; item < planes.items;) {
        const Index end = std::min(planes.items, item + sums.kWhile);
        Vec some[kSums] = {};
        for (; item < end; ++item) terms(item * planes.channels + channel, part, some);
        sums.take(some);
      }
      for (Index lane = 0; lane < std::min(kLanes, last - channel); ++lane) {
        double totals[kSums];
        for (int k = 0; k < kSums; ++k) totals[k] = sums.lanes[k][lane];
        found(channel + lane, totals);
      }
    });
  });
}

// Per-channel reductions of kSums terms. `make(numbers)` gives terms(offset, part, sums), which
// accumulates the terms of a vector. `found(channel, totals)` receives the totals in the thread
// that computed them; if a channel is a single piece, its values are then still in the cache.
template <int kSums, class Make, class Found>
void reduce(const Planes& planes, const Make& make, Found&& found) {
  if (planes.across()) return reduce_across<kSums>(planes, make, found);
  const Index pieces = planes.pieces();
  double* parts = reinterpret_cast<double*>(thread_scratch(
      Scratch::kPlane, static_cast<std::size_t>(2 * kSums * planes.channels * pieces)));
  planes.each_piece([&](Index channel, Index piece, Index begin, Index end) {
    const auto terms = make(OfOne{channel});
    Sums<kSums> sums;
    Vec now[kSums] = {};
    Index count = 0;
    planes.runs(channel, begin, end, [&](Index offset, Index length) {
      for (Index done = 0; done < length; done += sums.kWhile * kLanes) {
        const Index here = std::min(length - done, sums.kWhile * kLanes);
        Vec some[kSums] = {};
        sweep(here, [&](Index i, auto part) { terms(offset + done + i, part, some); });
        for (int k = 0; k < kSums; ++k) now[k] += some[k];
        count += here / kLanes + 1;
        if (count < sums.kWhile) continue;
        sums.take(now);
        for (int k = 0; k < kSums; ++k) now[k] = Vec{};
        count = 0;
      }
    });
    sums.take(now);
    double* totals = parts + (channel * pieces + piece) * kSums;
    for (int k = 0; k < kSums; ++k) totals[k] = sums.total(k);
    if (pieces == 1) found(channel, totals);
  });
  if (pieces == 1) return;
  for (Index channel = 0; channel < planes.channels; ++channel) {
    double* totals = parts + channel * pieces * kSums;
    for (Index piece = 1; piece < pieces; ++piece)
      for (int k = 0; k < kSums; ++k) totals[k] += totals[piece * kSums + k];
    found(channel, totals);
  }
}

// Reductions of kSums terms over n elements: terms(i, part, sums) accumulates those of a vector.
template <int kSums, class F>
void sum_up(Index n, double* totals, F&& terms) {
  const Index shares = (n + kShare - 1) / kShare;
  double* parts = reinterpret_cast<double*>(
      thread_scratch(Scratch::kPlane, static_cast<std::size_t>(2 * kSums * shares)));
  const auto share = [&](Index k) {
    Sums<kSums> sums;
    constexpr Index step = Sums<kSums>::kWhile * kLanes;
    const Index end = std::min(n, (k + 1) * kShare);
    for (Index i = k * kShare; i < end; i += step) {
      Vec some[kSums] = {};
      sweep(std::min(step, end - i), [&](Index j, auto part) { terms(i + j, part, some); });
      sums.take(some);
    }
    for (int s = 0; s < kSums; ++s) parts[k * kSums + s] = sums.total(s);
  };
  if (shares > 2)
    parallel(shares, share);
  else
    for (Index k = 0; k < shares; ++k) share(k);
  for (int s = 0; s < kSums; ++s) {
    totals[s] = 0;
    for (Index k = 0; k < shares; ++k) totals[s] += parts[k * kSums + s];
  }
}

// With one channel, the whole array is one contiguous run.
inline Planes planes_of(Index items, Index channels, Index places) {
  if (channels == 1) return {1, 1, items * places};
  return {items, channels, places};
}
