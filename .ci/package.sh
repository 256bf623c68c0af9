#!/usr/bin/env bash
# Builds the source archive and, from it, the wheel; installs the wheel without any extra into a
# fresh environment, and uses what was installed from a folder that is not the project's.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/venv.sh
project="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$(find_python)" -m venv "$work/venv"
pip() { "$work/venv/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install build
"$work/venv/bin/python" -m build --outdir "$work/dist" . >"$work/build.log" 2>&1 || {
  cat "$work/build.log" >&2
  exit 1
}
pip install "$work"/dist/*.whl
cd "$work"
export TF_CPP_MIN_LOG_LEVEL=3
git -C "$project" ls-files kerasad >files.txt
"$work/venv/bin/python" "$project/.ci/check_installed.py" files.txt "$project"
"$work/venv/bin/kerasad" --version
"$work/venv/bin/kerasad" train demo/brick --output run --model feature_statistics --image-size 96
"$work/venv/bin/kerasad" evaluate run
"$work/venv/bin/kerasad" predict run demo/brick/test/scratch --output out
echo "The package was built, installed and used."
