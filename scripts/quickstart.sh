#!/usr/bin/env bash
# From nothing to a first report: installs what is missing, trains on the embedded photographs of
# bricks, measures the result on defects that it has never seen, and shows it.
# Usage: bash scripts/quickstart.sh [RUN]        (default: runs/quickstart)
set -euo pipefail
run="${1:-}"
case "$run" in "" | /*) ;; *) run="$PWD/$run" ;; esac
cd "$(dirname "$0")/.."
run="${run:-$PWD/runs/quickstart}"
source scripts/venv.sh
prepare_venv report

export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-3}"
started=$SECONDS
step() { printf '\n== %s\n' "$1"; }

step "Training on good images only (demo/brick)"
.venv/bin/kerasad train demo/brick --output "$run" --overwrite --image-size 128 \
  --false-alarm-rate 0.1 --seed 0
step "Measuring on test images with and without defects"
.venv/bin/kerasad evaluate "$run" --data demo/brick
step "Drawing overlays"
.venv/bin/kerasad predict "$run" demo/brick/test --output "$run/predictions"
step "Writing the report"
.venv/bin/kerasad report "$run"

step "Training a VAE-GAN from scratch, for its saliency maps (demo/brick, small)"
.venv/bin/kerasad train demo/brick --output "$run-vae_gan" --overwrite --model vae_gan \
  --image-size 64 --epochs 20 --false-alarm-rate 0.1 --seed 0
.venv/bin/kerasad evaluate "$run-vae_gan" --data demo/brick
.venv/bin/kerasad report "$run-vae_gan"

cat <<END

Done in $((SECONDS - started)) seconds.
  Report:    $run/report.html
  VAE-GAN:   $run-vae_gan/report.html (reconstructions and saliency)
  Metrics:   $run/metrics.json
  Overlays:  $run/predictions/
  Detector:  $run/detector.keras
Your own images next:  .venv/bin/kerasad train FOLDER_OF_GOOD_IMAGES --output runs/mine
END
