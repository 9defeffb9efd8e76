// Detects instructions beyond the compiled set.
#include "bindings.h"
#include "features.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#if defined(__AVX512F__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace nb = nanobind;

namespace {

constexpr std::pair<const char*, bool Features::*> kNames[] = {
    {"avx2", &Features::vectors},
    {"avx512_bf16", &Features::bf16},
    {"int8", &Features::int8},
    {"amx_bf16", &Features::tiles_bf16},
    {"amx_int8", &Features::tiles_int8},
};

// Ask Linux to save the tiles of this process's threads: it refuses to run them otherwise.
[[maybe_unused]] bool may_use_tiles() {
#if defined(__AVX512F__) && defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

Features detect() {
  Features found;
#if defined(__AVX2__)
  found.vectors = true;
#endif
#if defined(__AVX512F__)
  __builtin_cpu_init();
  found.bf16 = __builtin_cpu_supports("avx512bf16");
  found.int8 = __builtin_cpu_supports("avx512vnni");
  // The functions with tiles use those of the other two as well.
  const bool tiles = __builtin_cpu_supports("amx-tile") && found.bf16 && found.int8;
  const bool bf16 = __builtin_cpu_supports("amx-bf16");
  const bool int8 = __builtin_cpu_supports("amx-int8");
  if (tiles && bf16 && int8) found.tiles_bf16 = found.tiles_int8 = may_use_tiles();
#elif defined(__AVX2__)
  found.int8 = true;
#endif
  return found;
}

const Features& detected() {
  static const Features found = detect();
  return found;
}

Features& used() {
  static Features used = detected();
  return used;
}

}  // namespace

const Features& features() { return used(); }

void add_features(nb::module_& m) {
  m.def("features", [] {
    std::vector<std::string> names;
    for (const auto& [name, member] : kNames)
      if (used().*member) names.emplace_back(name);
    return names;
  }, "Instructions beyond the compiled set that kernels use here.");
  m.def("limit_features", [](const std::vector<std::string>& names) {
    for (const auto& [name, member] : kNames)
      used().*member = detected().*member && std::count(names.begin(), names.end(), name) > 0;
  }, nb::arg("names"), "For tests: use no others of them than these.");
}
