// Detects the most capable compiled instruction set that this processor supports. One function
// without arguments needs no nanobind, which would take a quarter of a MiB of every process.
#include <Python.h>

namespace {

const char* best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
    return "avx512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
#endif
  return "baseline";
}

PyMethodDef functions[] = {
    {"best", [](PyObject*, PyObject*) { return PyUnicode_FromString(best()); }, METH_NOARGS,
     "The name of the module whose instructions this processor has."},
    {}};

PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "select",
                          .m_methods = functions};

}  // namespace

PyMODINIT_FUNC PyInit_select() { return PyModule_Create(&definition); }
