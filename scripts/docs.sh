#!/usr/bin/env bash
# Builds the documentation into site/ and checks that its pages ask nothing of the network.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/venv.sh
prepare_venv "all,dev,docs"

# The theme says on each build that its successor is on the way.
export NO_MKDOCS_2_WARNING=1
.venv/bin/mkdocs build --strict --quiet
.venv/bin/python scripts/check_site.py site
