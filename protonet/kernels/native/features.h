// Instructions beyond those that a set is compiled for, which some of its processors have: products
// of bfloat16 and of 8-bit integers. Functions that use them are in the avx512 set only, behind
// `#if defined(__AVX512F__)`, each with one of the attributes below, and are called only where
// features() has what they need. Templates of values of any type, which other sets have, too, lose
// theirs there. No lambda inherits an attribute, and such a function is inlined only into functions
// with the same one; those without any are inlined into it.
#pragma once

#if defined(__AVX512F__)
#define WITH_BF16 __attribute__((target("avx512bf16")))
#define WITH_VNNI __attribute__((target("avx512vnni")))
#else
#define WITH_BF16
#define WITH_VNNI
#endif
#define WITH_TILES __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512bf16,avx512vnni")))

struct Features {
  bool vectors = false;     // the set is avx2 or avx512: kernels over pixels of float32 are there
  bool bf16 = false;        // AVX512_BF16: dot products of pairs, conversion
  bool int8 = false;        // kernels of 8-bit integers: AVX512_VNNI, or the avx2 set
  bool tiles_bf16 = false;  // AMX, with permission of the system to use it
  bool tiles_int8 = false;
};

// What this processor has, unless tests pretend that it has less.
const Features& features();
