#!/usr/bin/env bash
# Everything that a machine with a GPU has to show, in one script: Python 3.12, CuPy for CUDA 13,
# PyTorch and nvcc are there, and no registry of packages.
#
#   benchmarks/gpu.sh wheels         on a machine with a registry: the wheels to carry along
#   benchmarks/gpu.sh                on the GPU's machine: all other steps, in their order
#   benchmarks/gpu.sh STEP...        some of them: install kernels tests digits resume pycaffe
#                                    bars-tf32 bars-bfloat16 networks-tf32 networks-bfloat16
#
# Every step writes a log, build/gpu/STEP.log ($OUT/STEP.log where OUT is set), and ends the script
# where it fails. DEVICE=cpu tries what can be tried without a GPU.
set -uo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
DEVICE=${DEVICE:-cuda:0}
WHEELS=${WHEELS:-build/gpu-wheels}
SITE=$PWD/build/gpu/site-$("$PYTHON" -c "import sys; print(sys.implementation.cache_tag)")
LOGS=${OUT:-build/gpu}
NEEDED=("lark>=1.2" "lmdb>=2.1.1" "nvidia-cudnn-frontend>=1.26,<1.29")
mkdir -p "$LOGS" build/gpu
export PYTHONPATH=$PWD:$SITE${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

wheels() {  # for Python 3.12 on x86-64; what else protonet needs is on the machine
  mkdir -p "$WHEELS"
  local platforms=() n
  for n in 39 35 34 31 28 27 24 17 12 5; do platforms+=(--platform "manylinux_2_${n}_x86_64"); done
  "$PYTHON" -m pip download --no-deps --only-binary=:all: --python-version 3.12 \
    --implementation cp "${platforms[@]}" --platform manylinux2014_x86_64 \
    --dest "$WHEELS" "${NEEDED[@]}" && ls -l "$WHEELS"
}

install() {
  ls "$WHEELS"/*.whl >/dev/null || { echo "no wheels in $WHEELS: run '$0 wheels' first"; return 1; }
  rm -rf "$SITE"
  "$PYTHON" -m pip install --quiet --no-index --no-deps --target "$SITE" "$WHEELS"/*.whl || return
  "$PYTHON" - <<'END'
import importlib, sys
missing = []
for name in ("click", "google.protobuf", "lark", "lmdb", "matplotlib", "ml_dtypes", "nanobind",
             "numpy", "PIL", "pytest", "rich"):
    try:
        importlib.import_module(name)
    except ImportError as error:
        missing.append(f"{name} ({error})")
sys.exit("carry these along as wheels, too: " + ", ".join(missing) if missing else 0)
END
}

kernels() {
  cmake -S protonet/kernels/native -B build/gpu/native -DCMAKE_BUILD_TYPE=Release \
    -DPython_EXECUTABLE="$("$PYTHON" -c 'import sys; print(sys.executable)')" \
    -Dnanobind_DIR="$("$PYTHON" -m nanobind --cmake_dir)" ${KERNELS:+-DINSTRUCTION_SETS=$KERNELS} &&
  cmake --build build/gpu/native --parallel &&
  cp build/gpu/native/*.so protonet/kernels/native/ &&
  "$PYTHON" -c 'from protonet.kernels import native; print(native.described())' &&
  "$PYTHON" -m protonet device-query
}

tests() {  # only the files with such tests: the others import more packages
  local files
  mapfile -t files < <(grep -rl "mark\.gpu" tests --include='*.py' | grep -v '^tests/conftest')
  "$PYTHON" -m pytest -m gpu -q --tb=short -p no:cacheprovider "${files[@]}" "${TESTS[@]}"
}

check() { "$PYTHON" benchmarks/gpu_checks.py "$1" --device "$DEVICE"; }
digits() { check digits; }
resume() { check resume; }
pycaffe() { check pycaffe; }
bars() { "$PYTHON" benchmarks/gpu_bars.py --device "$DEVICE" --precision "$1" --markdown; }
networks() { "$PYTHON" benchmarks/networks.py --device "$DEVICE" --precision "$1" --markdown; }

ALL=(install kernels tests digits resume pycaffe bars-tf32 bars-bfloat16 networks-tf32
     networks-bfloat16)
read -ra TESTS <<<"${TESTS:-}"
STEPS=("$@")
[ $# -gt 0 ] || STEPS=("${ALL[@]}")
for step in "${STEPS[@]}"; do
  [[ " wheels ${ALL[*]} " == *" $step "* ]] || { echo "no step '$step': ${ALL[*]}, wheels"; exit 2; }
done
if [[ " ${STEPS[*]} " != " wheels " && $DEVICE != cpu ]]; then
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader ||
    { echo "no GPU here (nvidia-smi does not run): DEVICE=cpu tries what needs none"; exit 1; }
fi
for step in "${STEPS[@]}"; do
  echo "== $step"
  began=$SECONDS
  # shellcheck disable=SC2086: the name of a function and its argument
  ${step/-/ } 2>&1 | tee "$LOGS/$step.log"
  status=${PIPESTATUS[0]}
  [ "$status" = 0 ] || { echo "== $step failed ($status); its log is $LOGS/$step.log"; exit 1; }
  echo "== $step: passed in $((SECONDS - began)) s"
done
