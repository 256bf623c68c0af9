# Sourced by the set-up commands: one virtual environment in the project's folder, filled once.

find_python() {
  local name
  for name in "${PYTHON:-python3.11}" python3.11 python3.12 python3.13 python3; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Python 3.11 or later with its venv module is needed (on Debian: python3.11-venv);" \
    "set PYTHON to name one." >&2
  return 1
}

# prepare_venv EXTRAS: .venv with the package and its extras. A stamp named after the content of
# the package's metadata tells that nothing is to be done.
prepare_venv() {
  local extras="$1" python stamp
  stamp=".venv/.installed-$(cat setup.cfg pyproject.toml <(echo "$extras" "$PWD") | sha256sum | cut -c1-16)"
  if [ -f "$stamp" ] && .venv/bin/python -m pip --version >/dev/null 2>&1; then
    return
  fi
  if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python="$(find_python)"
    echo "Making .venv with $("$python" --version) ..."
    "$python" -m venv --clear .venv
  fi
  echo "Installing kerasad[$extras] and what it needs into .venv (TensorFlow is large) ..."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$extras]"
  touch "$stamp"
}
