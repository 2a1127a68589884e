# What must be copied to a GPU machine that has no network and takes little in one copy; sourced by the gpu-* scripts.
#
#   1, 2   the halves of CLIP's tower
#   3      the packages that such a machine lacks, for its Python

PARCEL=${TBD_PARCEL:-runs/parcel}
here=${PYTHON:-.venv/bin/python} there=${PYTHON:-python3}
TOWER=ViT-B-16-quickgelu.openai-int8.safetensors
PACKAGES=(av facenet-pytorch open_clip_torch ftfy wcwidth tyro docstring-parser typeguard jsonschema jsonschema-specifications
  referencing rpds-py attrs)

# The first three parts, anew, for a version of Python.
pack_common() {
  local wanted=() name version
  rm -rf "$PARCEL"
  mkdir -p "$PARCEL"/{1,2,3}
  split -n 2 -d -a 1 "weights/$TOWER" "$PARCEL/tower."
  mv "$PARCEL/tower.0" "$PARCEL/1/" && mv "$PARCEL/tower.1" "$PARCEL/2/"
  for name in "${PACKAGES[@]}"; do
    version=$("$here" -c "from importlib.metadata import version; print(version('$name'))" 2>/dev/null) || continue
    wanted+=("$name==$version")
  done
  "$here" -m pip download --quiet --no-deps --only-binary=:all: --python-version "$1" --implementation cp \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$PARCEL/3" "${wanted[@]}"
}

# All parts are there: files below the parcel.
wanted() {
  local part
  for part in 1/tower.0 2/tower.1 "$@"; do
    [ -f "$PARCEL/$part" ] || fail "$PARCEL/$part is missing: copy all parts, or make them with: $0 pack"
  done
}

# Put the tower together at a path, install the packages, and find them and this checkout.
unpack_common() {
  cat "$PARCEL"/1/tower.0 "$PARCEL"/2/tower.1 >"$1"
  if [ -d "$PARCEL/3" ]; then
    "$there" -m pip install --quiet --no-index --no-deps --upgrade --target "$PARCEL/site" "$PARCEL"/3/*.whl
  fi
  export PYTHONPATH="$PWD:$PARCEL/site${PYTHONPATH:+:$PYTHONPATH}"
}
