#!/usr/bin/env bash
# Trains the rows that take hours, one after another, at low priority.
#
#   zoo/train.sh list             each row and how far it is
#   zoo/train.sh run [ROW …]      takes up the next row that is not done (or those named), and so on
#
# A row that was stopped is resumed; several of these scripts share the queue. The program is
# $ANCESTRAL, else target/release/ancestral; data lies in $ANCESTRAL_DATA, else ../shared/data.
# Run folders are kept in zoo/unfinished; a finished one is measured by hand, packed with
# `ancestral pack RUN --half --out zoo/ROW` and written into RESULTS.md.
set -euo pipefail
# Settings hold brackets, which are no patterns.
set -f
cd "$(dirname "$0")/.."
program=${ANCESTRAL:-target/release/ancestral}
data=${ANCESTRAL_DATA:-../shared/data}
threads=${THREADS:-1}
folder=zoo/unfinished

# Row by row: its name, then what `ancestral train` is told. All 60,000 images, fixed epochs and
# the last weights where the papers do so.
mnist="--data mnist --binarize dynamic --all-train --skip-test --set sample_count=0 --set validate_every=0"
queue() {
  cat <<ROWS
vae-mnist-paper     vae  $mnist --epochs 800 --set latent_dims=[50] --set hidden=[[200,200]] --set kl_warmup_epochs=50 --set schedule=cosine
iwae5-mnist         vae  $mnist --epochs 500 --set latent_dims=[50] --set hidden=[[200,200]] --set importance_samples=5 --set doubly_reparameterised=true --set schedule=cosine
vae-mnist-2l        vae  $mnist --epochs 800 --set latent_dims=[100,50] --set hidden=[[200,200],[100,100]] --set kl_warmup_epochs=100 --set schedule=cosine
deep-nade-mnist-2l  deep-nade  --data binarized-mnist --skip-test --preset mnist --set sample_count=0
dcgan-mnist         dcgan  --data mnist --skip-test --epochs 100 --set average_decay=0.999 --set schedule=linear --set precision=bf16 --set sample_count=0
fvsbn-adult         fvsbn  --data adult --preset uci --skip-test --set sample_count=0
iwae50-mnist        vae  $mnist --epochs 300 --set latent_dims=[50] --set hidden=[[200,200]] --set importance_samples=50 --set doubly_reparameterised=true --set schedule=cosine
iwae50-mnist-2l     vae  $mnist --epochs 300 --set latent_dims=[100,50] --set hidden=[[200,200],[100,100]] --set importance_samples=50 --set doubly_reparameterised=true --set schedule=cosine
ROWS
}

# done, finished (trained, to be measured and packed), begun or waiting
state() {
  # A row of this name that stood before was made by another command.
  if grep -qs -- "--out $folder/$1\b" "zoo/$1/config.toml" &&
    ! grep -q '^unfinished = true' "zoo/$1/config.toml"; then
    echo done
  elif [ ! -e "$folder/$1/config.toml" ]; then
    echo waiting
  elif "$program" runs "$folder/$1" --json | grep -q '"finished": *true'; then
    echo finished
  else
    echo begun
  fi
}

list() {
  queue | while read -r name _; do
    printf '%-20s %s\n' "$name" "$(state "$name")"
  done
}

run() {
  mkdir -p "$folder"
  queue | while read -r name model rest; do
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    case $(state "$name") in done | finished) continue ;; esac
    (
      # Another of these scripts has it.
      flock -n 9 || exit 0
      if [ "$(state "$name")" = begun ]; then
        nice -n 19 "$program" --threads "$threads" --data-dir "$data" train --resume "$folder/$name" --quiet
      else
        # shellcheck disable=SC2086 # a row is words
        nice -n 19 "$program" --threads "$threads" --data-dir "$data" train "$model" $rest --out "$folder/$name" --quiet
      fi
    ) 9>"$folder/$name.lock" </dev/null || echo "$name: stopped" >&2
  done
}

case "${1:-}" in
  list) list ;;
  run) shift; run "$@" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
