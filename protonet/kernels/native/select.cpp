// Detects the most capable compiled instruction set that this processor supports.
#include <nanobind/nanobind.h>

NB_MODULE(select, m) {
  nanobind::set_leak_warnings(false);  // as in module.cpp
  m.def("best", [] {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
      return "avx512";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
    return "baseline";
  }, "The name of the module whose instructions this processor has.");
}
