#!/usr/bin/env bash
# Formatting, lint and the whole test suite; sets everything up on its first run.
# Arguments go to pytest: bash scripts/test.sh tests/metrics -k auroc
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/venv.sh
prepare_venv "all,dev"

.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/python -m pytest "$@"
