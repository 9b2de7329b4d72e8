#!/bin/bash
# Starts a training job. Run it as `bash train.sh`: S3 does not keep the execute bit.
set -euo pipefail

code="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
path="$code"

if [ -d "$code/wheels" ]; then
  site="$(mktemp -d)"
  if ! python -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$code"/wheels/*.whl; then
    output="${MODELMILL_ML_ROOT:-/opt/ml}/output"
    mkdir -p "$output"
    printf 'internal: The wheels of the training code could not be installed.' > "$output/failure"
    exit 70
  fi
  path="$path:$site"
fi

export PYTHONPATH="$path${PYTHONPATH:+:$PYTHONPATH}"
exec python -m modelmill_training
