// The head of a JPEG file (ITU-T T.81, annex B), of the kind that cameras and tools write most: 8
// bits, sequential, Huffman codes, and one scan that holds all components.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "vec.h"

namespace jpeg {

using Byte = std::uint8_t;

// The place of each coefficient of the file's order in a block of rows; beyond its end, which only
// damaged files reach, that of the last one.
constexpr Byte kOrder[80] = {
    0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,  12, 19, 26, 33, 40, 48,
    41, 34, 27, 20, 13, 6,  7,  14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23,
    30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63};

struct Component {
  Byte id = 0, across = 1, down = 1;  // blocks in a unit
  Byte factors = 0, dc = 0, ac = 0;   // the numbers of its tables
  Index columns = 0, rows = 0;        // samples of the image
  Index stride = 0, height = 0;       // samples of whole units
};

// Lengths and symbols of a Huffman code.
struct Code {
  bool known = false;
  std::array<Byte, 16> counts{};
  std::array<Byte, 256> symbols{};
};

struct File {
  Index height = 0, width = 0, units_across = 0, units_down = 0;
  int interval = 0;  // units between restarts; 0 for none
  std::array<std::array<std::int16_t, 64>, 4> factors{};
  std::array<bool, 4> has_factors{};
  std::array<Code, 4> dc{}, ac{};
  std::vector<Component> components;
  const Byte* scan = nullptr;  // where the coded data begins
};

// Reads a head. What it does not know, and what is damaged, it refuses: false.
class Head {
 public:
  Head(const Byte* data, Index size, File& file) : at_(data), end_(data + size), file_(file) {}

  bool read() {
    if (!begins_with(0xD8)) return false;
    while (end_ - at_ >= 4 && *at_ == 0xFF) {
      const Byte marker = at_[1];
      if (marker == 0xFF || marker < 0xC0 || (marker >= 0xD0 && marker <= 0xD9)) return false;
      const Index size = at_[2] << 8 | at_[3];
      const Byte* segment = at_ + 4;
      if (size < 2 || end_ - at_ < size + 2) return false;
      at_ += size + 2;
      if (marker == 0xDA) return scan(segment, size - 2);
      if (!take(marker, segment, size - 2)) return false;
    }
    return false;
  }

 private:
  const Byte *at_, *end_;
  File& file_;
  bool jfif_ = false;
  int transform_ = -1;  // of Adobe's segment

  bool begins_with(Byte marker) {
    if (end_ - at_ < 2 || at_[0] != 0xFF || at_[1] != marker) return false;
    at_ += 2;
    return true;
  }

  bool take(Byte marker, const Byte* data, Index size) {
    switch (marker) {
      case 0xDB: return factors(data, size);
      case 0xC0: case 0xC1: return frame(data, size);
      case 0xC4: return codes(data, size);
      case 0xDD:
        if (size != 2) return false;
        file_.interval = data[0] << 8 | data[1];
        return true;
      case 0xE0:
        jfif_ = jfif_ || (size >= 14 && std::memcmp(data, "JFIF", 5) == 0);
        return true;
      case 0xEE:
        if (size >= 12 && std::memcmp(data, "Adobe", 5) == 0) transform_ = data[11];
        return true;
      default:  // other applications' segments, and comments
        return (marker & 0xF0) == 0xE0 || marker == 0xFE;
    }
  }

  bool factors(const Byte* data, Index size) {
    for (; size >= 65; data += 65, size -= 65) {
      if (data[0] > 3) return false;
      auto& table = file_.factors[data[0]];
      for (Index i = 0; i < 64; ++i) table[kOrder[i]] = data[1 + i];
      file_.has_factors[data[0]] = true;
    }
    return size == 0;
  }

  bool codes(const Byte* data, Index size) {
    while (size >= 17) {
      if ((data[0] & 0xEF) > 3) return false;
      Code& code = (data[0] & 0x10 ? file_.ac : file_.dc)[data[0] & 3];
      code = Code{};
      std::memcpy(code.counts.data(), data + 1, 16);
      Index count = 0;
      for (const Byte each : code.counts) count += each;
      if (count > 256 || size < 17 + count) return false;
      std::memcpy(code.symbols.data(), data + 17, static_cast<std::size_t>(count));
      code.known = true;
      data += 17 + count, size -= 17 + count;
    }
    return size == 0;
  }

  bool frame(const Byte* data, Index size) {
    if (!file_.components.empty() || size < 6 || data[0] != 8) return false;
    const Index count = data[5];
    file_.height = data[1] << 8 | data[2];
    file_.width = data[3] << 8 | data[4];
    if (file_.height < 1 || file_.width < 1 || (count != 1 && count != 3) || size != 6 + 3 * count)
      return false;
    for (Index i = 0; i < count; ++i) {
      const Byte* each = data + 6 + 3 * i;
      Component found;
      found.id = each[0], found.across = each[1] >> 4, found.down = each[1] & 15;
      found.factors = each[2];
      if (found.factors > 3) return false;
      file_.components.push_back(found);
    }
    return sizes();
  }

  // Colour whose second and third component have the resolution of the first, half of it across,
  // or half of it both ways.
  bool sizes() {
    auto& parts = file_.components;
    if (parts.size() == 1) parts[0].across = parts[0].down = 1;  // its units are blocks
    const Index across = parts[0].across, down = parts[0].down;
    if (across < 1 || across > 2 || down < 1 || down > across) return false;
    file_.units_across = (file_.width + 8 * across - 1) / (8 * across);
    file_.units_down = (file_.height + 8 * down - 1) / (8 * down);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i > 0 && (parts[i].across != 1 || parts[i].down != 1)) return false;
      parts[i].columns = (file_.width * parts[i].across + across - 1) / across;
      parts[i].rows = (file_.height * parts[i].down + down - 1) / down;
      parts[i].stride = file_.units_across * 8 * parts[i].across;
      parts[i].height = file_.units_down * 8 * parts[i].down;
    }
    return across == 1 || parts[1].columns > 2;  // below that no samples are interpolated
  }

  bool scan(const Byte* data, Index size) {
    auto& parts = file_.components;
    const Index count = static_cast<Index>(parts.size());
    if (count == 0 || size != 4 + 2 * count || data[0] != count) return false;
    for (Index i = 0; i < count; ++i) {
      const Byte id = data[1 + 2 * i], tables = data[2 + 2 * i];
      Component& part = parts[static_cast<std::size_t>(i)];
      part.dc = tables >> 4, part.ac = tables & 15;
      if (id != part.id || part.dc > 3 || part.ac > 3) return false;
      if (!file_.has_factors[part.factors] || !file_.dc[part.dc].known || !file_.ac[part.ac].known)
        return false;
    }
    const Byte* last = data + 1 + 2 * count;
    file_.scan = at_;
    return last[0] == 0 && last[1] == 63 && last[2] == 0 && (count == 1 || is_luminance());
  }

  // Whether the components are brightness and two differences of colour, as readers settle it.
  bool is_luminance() const {
    const auto& parts = file_.components;
    if (jfif_) return true;
    if (transform_ >= 0) return transform_ == 1;
    return parts[0].id == 1 && parts[1].id == 2 && parts[2].id == 3;
  }
};

}  // namespace jpeg
