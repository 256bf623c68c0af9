#!/usr/bin/env bash
# Formatting, lint and the tests; sets everything up on its first run.
# Arguments go to pytest: bash scripts/test.sh tests/metrics -k auroc
# The slow tests, which CI runs after the others, are left out unless -m or a path asks for them:
# bash scripts/test.sh -m slow
# So are those that need a browser:
# bash scripts/test.sh -m browser
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/venv.sh
prepare_venv "all,dev"

.venv/bin/ruff format --check .
.venv/bin/ruff check .
lane=(-m "not slow and not browser") before=
for argument in "$@"; do
  case $argument in
    -m*) lane=() ;;
    *) [ "$before" = -k ] || [ ! -e "${argument%%::*}" ] || lane=() ;;
  esac
  before=$argument
done
# A file is one process's: what its tests share is made once. Most of the time is tracing, on one core.
.venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile "${lane[@]}" "$@"
