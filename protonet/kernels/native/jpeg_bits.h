// The coded data of a JPEG file (ITU-T T.81, annex F): Huffman codes, and the coefficients of a
// block.
#pragma once

#include <algorithm>

#include "jpeg_format.h"

namespace jpeg {

// Reads bits, the highest of a byte first, and beyond the end of what there is: whoever reads leaves
// room behind the data, and asks afterwards how much was read.
class Bits {
 public:
  explicit Bits(const Byte* begin) : at_(begin) {}

  // Afterwards there are at least 56 bits.
  void fill() {
    std::uint64_t next;
    std::memcpy(&next, at_, 8);
    held_ |= __builtin_bswap64(next) >> count_;
    at_ += (63 - count_) >> 3;
    count_ |= 56;
  }
  std::uint32_t peek(int count) const { return static_cast<std::uint32_t>(held_ >> (64 - count)); }
  void drop(int count) {
    held_ <<= count;
    count_ -= count;
  }
  // The number of the next bits, of which the first one is the sign: 0 for negative ones.
  int number(int count) {
    if (count == 0) return 0;
    const int found = static_cast<int>(peek(count));
    drop(count);
    return found < 1 << (count - 1) ? found - (1 << count) + 1 : found;
  }
  // Where the first bit that was not read lies, and which of its byte's bits it is.
  const Byte* at() const { return at_ - (count_ >> 3) - (count_ & 7 ? 1 : 0); }
  int bit() const { return (8 - (count_ & 7)) & 7; }

 private:
  const Byte* at_;
  std::uint64_t held_ = 0;
  int count_ = 0;
};

// What the next bits say of a block's coefficients. Up to two of them fit into kAhead bits with
// their codes: one ``skip`` places on, and one ``step`` places after it; step is 0, and the other
// value the same, where there is one. They take ``first`` bits and ``length`` bits. Otherwise skip is
// one of the numbers below, and where kEnding is added to it, the block ends with the first value.
struct Action {
  std::int16_t value = 0, other = 0;
  Byte skip, step = 0, first = 0, length = 0;
};
constexpr int kAhead = 11;
constexpr Byte kEnding = 64;  // and what is below is the distance of the only value
constexpr Byte kEnd = 128;    // no further value
constexpr Byte kSplit = 129;  // a code of ``length`` bits for the symbol ``value``; its number follows
constexpr Byte kLong = 130;   // a longer code

class Table {
 public:
  // Makes the table of a code, unless it is the one that it has.
  bool make(const Code& code, bool is_dc) {
    if (made_ && is_dc == is_dc_ && code.counts == code_.counts && code.symbols == code_.symbols)
      return true;
    made_ = false;
    code_ = code, is_dc_ = is_dc;
    Actions single;
    single.fill({.skip = kLong});
    int next = 0, first = 0;
    for (int length = 1; length <= 16; ++length, next <<= 1) {
      const int count = code.counts[static_cast<std::size_t>(length - 1)];
      if (count > 0 && next + count >= 1 << length) return false;  // one code stays free
      offset_[length] = first - next;
      for (int i = 0; i < count; ++i) {
        const Byte symbol = code.symbols[static_cast<std::size_t>(first + i)];
        if (is_dc && symbol > 15) return false;
        if (length <= kAhead) fill(single, next + i, length, symbol);
      }
      next += count, first += count;
      limit_[length] = next << (16 - length);
    }
    for (std::size_t ahead = 0; ahead < single.size(); ++ahead)
      actions_[ahead] = is_dc ? single[ahead] : joined(single, ahead);
    made_ = true;
    return true;
  }

  const Action& look(const Bits& bits) const { return actions_[bits.peek(kAhead)]; }

  // The symbol of the next bits; -1 where there is none.
  int symbol(Bits& bits) const {
    const int next = static_cast<int>(bits.peek(16));
    for (int length = 1; length <= 16; ++length)
      if (next < limit_[length]) {
        bits.drop(length);
        return code_.symbols[static_cast<std::size_t>((next >> (16 - length)) + offset_[length])];
      }
    return -1;
  }

 private:
  using Actions = std::array<Action, 1 << kAhead>;
  bool made_ = false, is_dc_ = false;
  Code code_;
  Actions actions_;
  int limit_[17] = {}, offset_[17] = {};

  // What all bits say that begin with a code.
  void fill(Actions& actions, int code, int length, Byte symbol) const {
    const int run = symbol >> 4, size = symbol & 15, left = kAhead - length;
    const auto first = actions.begin() + (code << left);
    Action action{.skip = kLong, .length = static_cast<Byte>(length)};
    if (!is_dc_ && symbol == 0) {
      action.skip = kEnd;
    } else if (size > left || (!is_dc_ && size == 0 && run != 15)) {
      action.skip = kSplit, action.value = symbol;
    } else {
      action.skip = static_cast<Byte>(run);
      action.first = action.length = static_cast<Byte>(length + size);
      for (int number = 0; number < 1 << size; ++number) {
        const bool negative = size > 0 && number >> (size - 1) == 0;
        const int value = negative ? number + 1 - (1 << size) : number;
        action.value = action.other = static_cast<std::int16_t>(value);
        std::fill_n(first + (number << (left - size)), 1 << (left - size), action);
      }
      return;
    }
    std::fill_n(first, 1 << left, action);
  }

  // What bits say with the value, or the end, behind the first value.
  static Action joined(const Actions& single, std::size_t ahead) {
    Action found = single[ahead];
    if (found.skip >= kEnding) return found;
    const Action& then = single[ahead << found.length & (single.size() - 1)];
    if (then.skip > kEnd || found.length + then.length > kAhead) return found;
    if (then.skip == kEnd) {
      found.skip |= kEnding;
    } else {
      found.other = then.value;
      found.step = static_cast<Byte>(then.skip + 1);
    }
    found.length = static_cast<Byte>(found.length + then.length);
    return found;
  }
};

// Reads a block, whose coefficients must be 0, in its file's order of places. ``before`` is the
// first coefficient of the component's block before. Returns how many coefficients may not be 0;
// 0 where the data is damaged.
inline int read_block(Bits& stream, const Table& dc, const Table& ac, int& before,
                      std::int16_t* block) {
  Bits bits = stream;  // in registers
  bits.fill();
  const Action& start = dc.look(bits);
  if (start.skip == 0) {
    bits.drop(start.length);
    before += start.value;
  } else {
    const int size = dc.symbol(bits);
    if (size < 0) return 0;
    before += bits.number(size);
  }
  block[0] = static_cast<std::int16_t>(before);
  int last = 0;
  while (last < 63) {
    bits.fill();
    for (int i = 0; i < 3 && last < 63; ++i) {  // of at most kAhead bits, 31 in the last one
      const Action& action = ac.look(bits);
      if (action.skip < kEnding) {
        last += 1 + action.skip;
        block[kOrder[last]] = action.value;
        if (last >= 63) {  // what follows is of the next block
          bits.drop(action.first);
          break;
        }
        bits.drop(action.length);
        last += action.step;
        block[kOrder[last]] = action.other;
        continue;
      }
      if (action.skip <= kEnd) {
        if (action.skip < kEnd) {
          last += 1 + action.skip - kEnding;
          block[kOrder[last]] = action.value;
        }
        bits.drop(last < 63 ? action.length : action.first);  // a full block has no code for its end
        stream = bits;
        return last < 64 ? last + 1 : 0;
      }
      int symbol = action.value;
      if (action.skip == kSplit)
        bits.drop(action.length);
      else
        symbol = ac.symbol(bits);
      if (symbol <= 0 || ((symbol & 15) == 0 && symbol != 0xF0)) {
        stream = bits;
        return symbol == 0 ? last + 1 : 0;
      }
      last += 1 + (symbol >> 4);
      block[kOrder[last]] = static_cast<std::int16_t>(bits.number(symbol & 15));
      break;
    }
  }
  stream = bits;
  return last < 64 ? last + 1 : 0;
}

}  // namespace jpeg
