#!/usr/bin/env bash
# anomalib and kerasad side by side: makes both virtual environments, measures, writes one table.
# Usage: bash benchmarks/peers/run.sh DATA... [options]        (options: --help; 6 GB for anomalib)
# PEERS_VENV: folder of anomalib's environment (default .venv-peers). KERASAD_PYTHON: a Python that
# has kerasad already (default: that of .venv, which is made).
set -euo pipefail
here="$PWD"
cd "$(dirname "$0")/../.."
root="$PWD"
venv="${PEERS_VENV:-.venv-peers}"
case "$venv" in /*) ;; *) venv="$root/$venv" ;; esac
python="${KERASAD_PYTHON:-}"
source scripts/venv.sh
if [ -z "$python" ]; then
  prepare_venv all
  python="$root/.venv/bin/python"
fi

# torch and torchvision first, in versions that belong together: anomalib's own range takes others.
packages=(torch==2.14.1 torchvision==0.29.1 anomalib==2.7.0)
stamp="$venv/.installed-$(echo "${packages[@]}" "$venv" | sha256sum | cut -c1-16)"
if [ ! -f "$stamp" ]; then
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    "$(find_python)" -m venv --clear "$venv"
  fi
  echo "Installing anomalib into $venv (6 GB) ..."
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]:0:2}"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}"
  touch "$stamp"
fi

cd "$here"
export PYTHONPATH="$root:$root/benchmarks${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m peers.compare --peers-python "$venv/bin/python" "$@"
