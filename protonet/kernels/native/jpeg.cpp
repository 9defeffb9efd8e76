// Decodes JPEG files of the usual kind, to the pixels that libjpeg-turbo gives. What is rare, and what
// is damaged, is refused, and left to a library.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <bit>
#include <cmath>
#include <memory>

#include "jpeg_bits.h"
#include "jpeg_blocks.h"
#include "jpeg_pixels.h"

namespace nb = nanobind;

namespace jpeg {
namespace {

constexpr Index kBeyond = 4096;    // bytes that a damaged unit may read beyond the data
constexpr std::size_t kKept = 1 << 22;  // bytes that a thread keeps for its next image

// What a thread works with.
struct Scratch {
  std::array<Table, 4> dc, ac;
  std::vector<Byte> coded, samples;
  std::vector<Index> ends;  // of what lies between restarts

  void trim() {
    if (coded.capacity() > kKept) std::vector<Byte>().swap(coded);
    if (samples.capacity() > kKept) std::vector<Byte>().swap(samples);
  }
};

// Copies the coded data without the zeros that follow bytes of ones, and finds the restarts in it.
// Returns whether it ends as it should.
bool unpack(const Byte* at, const Byte* end, Scratch& scratch) {
  auto& coded = scratch.coded;
  coded.resize(static_cast<std::size_t>(end - at + kBeyond));
  scratch.ends.clear();
  Byte* out = coded.data();
  while (true) {
    const auto* next = static_cast<const Byte*>(
        std::memchr(at, 0xFF, static_cast<std::size_t>(end - at)));
    if (next == nullptr || end - next < 2) return false;
    std::memcpy(out, at, static_cast<std::size_t>(next - at));
    out += next - at;
    at = next + 2;
    if (next[1] == 0) {
      *out++ = 0xFF;
      continue;
    }
    scratch.ends.push_back(out - coded.data());
    if (next[1] == 0xD9) break;
    if (next[1] != 0xD0 + (scratch.ends.size() - 1) % 8) return false;
  }
  std::memset(out, 0, static_cast<std::size_t>(kBeyond));
  return true;
}

class Decoder {
 public:
  Decoder(const File& file, Scratch& scratch) : file_(file), scratch_(scratch) {}

  // Decodes all samples; false where the data is damaged.
  bool run(const Byte* end) {
    const Index units = file_.units_across * file_.units_down;
    Index blocks = 0, bytes = 0;
    for (const Component& part : file_.components) {
      blocks += part.across * part.down;
      bytes += part.stride * part.height;
      if (!scratch_.dc[part.dc].make(file_.dc[part.dc], true)) return false;
      if (!scratch_.ac[part.ac].make(file_.ac[part.ac], false)) return false;
    }
    // A block takes two bits at the least: a damaged size takes no memory.
    if (units * blocks > 4 * (end - file_.scan)) return false;
    if (!unpack(file_.scan, end, scratch_)) return false;
    const Index each = file_.interval ? file_.interval : units;
    if (static_cast<Index>(scratch_.ends.size()) != (units + each - 1) / each) return false;
    scratch_.samples.resize(static_cast<std::size_t>(bytes));
    Index first = 0, begin = 0;
    for (const Index stop : scratch_.ends) {
      if (!stretch(begin, stop, first, std::min(first + each, units))) return false;
      first += each, begin = stop;
    }
    return true;
  }

  // The samples of a component.
  const Byte* samples(std::size_t which) const {
    const Byte* found = scratch_.samples.data();
    for (std::size_t i = 0; i < which; ++i)
      found += file_.components[i].stride * file_.components[i].height;
    return found;
  }

 private:
  const File& file_;
  Scratch& scratch_;
  alignas(64) std::int16_t values_[2][64];
  Block waiting_;
  bool waits_ = false;

  // The units between two restarts.
  bool stretch(Index begin, Index end, Index first, Index last) {
    const Byte* data = scratch_.coded.data();
    Bits bits(data + begin);
    int before[3] = {};
    for (Index unit = first; unit < last; ++unit)
      if (!read_unit(bits, before, unit) || bits.at() > data + end) return false;
    if (waits_) invert(waiting_);
    waits_ = false;
    return bits.at() + (bits.bit() > 0) == data + end;
  }

  bool read_unit(Bits& bits, int (&before)[3], Index unit) {
    const Index top = unit / file_.units_across, left = unit % file_.units_across;
    for (std::size_t i = 0; i < file_.components.size(); ++i) {
      const Component& part = file_.components[i];
      Byte* out = const_cast<Byte*>(samples(i)) + 8 * top * part.down * part.stride +
                  8 * left * part.across;
      for (Index y = 0; y < part.down; ++y)
        for (Index x = 0; x < part.across; ++x)
          if (!read(bits, part, before[i], out + 8 * y * part.stride + 8 * x)) return false;
    }
    return true;
  }

  // Reads a block, and inverts it and the one that waits for another one.
  bool read(Bits& bits, const Component& part, int& before, Byte* out) {
    std::int16_t* values = values_[waits_ ? 1 : 0];
    std::memset(values, 0, sizeof values_[0]);
    const int count =
        read_block(bits, scratch_.dc[part.dc], scratch_.ac[part.ac], before, values);
    const Block block{values, file_.factors[part.factors].data(), out, part.stride};
    if (count == 0) return false;
    if (count == 1) {
      invert_flat(block);
    } else if (waits_) {
      invert(waiting_, block);
      waits_ = false;
    } else {
      waiting_ = block;
      waits_ = true;
    }
    return true;
  }
};

// Planes of blue, green and red, or of gray; in ``planes`` of them where gray is asked for as colour.
void write_pixels(const File& file, const Decoder& decoder, Index planes, Byte* out) {
  const auto& parts = file.components;
  const Index plane = file.height * file.width;
  if (parts.size() == 1) {
    for (Index c = 0; c < planes; ++c)
      for (Index y = 0; y < file.height; ++y)
        std::memcpy(out + c * plane + y * file.width, decoder.samples(0) + y * parts[0].stride,
                    static_cast<std::size_t>(file.width));
    return;
  }
  Rows cb(decoder.samples(1), parts[1], parts[0].across, parts[0].down);
  Rows cr(decoder.samples(2), parts[2], parts[0].across, parts[0].down);
  for (Index y = 0; y < file.height; ++y) {
    Byte* row = out + y * file.width;
    colour(decoder.samples(0) + y * parts[0].stride, cb.row(y), cr.row(y), row, row + plane,
           row + 2 * plane, file.width);
  }
}

using Pixels = nb::ndarray<nb::numpy, Byte, nb::ndim<3>>;

std::optional<Pixels> decode(nb::bytes data, std::optional<bool> color, double most) {
  thread_local Scratch scratch;
  if constexpr (std::endian::native != std::endian::little) return std::nullopt;
  std::unique_ptr<Byte[]> out;
  File file;
  Index planes = 0;
  {
    const auto* begin = reinterpret_cast<const Byte*>(data.c_str());
    const auto size = static_cast<Index>(data.size());
    nb::gil_scoped_release released;
    if (!Head(begin, size, file).read()) return std::nullopt;
    const auto count = static_cast<Index>(file.components.size());
    if (static_cast<double>(file.height) * static_cast<double>(file.width) > most ||
        (count == 3 && color == false))
      return std::nullopt;
    Decoder decoder(file, scratch);
    if (!decoder.run(begin + size)) return std::nullopt;
    planes = color == true ? 3 : count;
    out.reset(new Byte[static_cast<std::size_t>(planes * file.height * file.width)]);
    write_pixels(file, decoder, planes, out.get());
    scratch.trim();
  }
  Byte* pixels = out.release();
  nb::capsule owner(pixels, [](void* p) noexcept { delete[] static_cast<Byte*>(p); });
  return Pixels(pixels,
                {static_cast<std::size_t>(planes), static_cast<std::size_t>(file.height),
                 static_cast<std::size_t>(file.width)},
                owner);
}

}  // namespace
}  // namespace jpeg

void add_jpeg(nb::module_& m) {
  m.def("decode_jpeg", &jpeg::decode, nb::arg("data"), nb::arg("color").none(), nb::arg("most"));
}
