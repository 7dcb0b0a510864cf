#!/usr/bin/env bash
# Trains the rows that take hours, one after another, at low priority.
#
#   zoo/train.sh list             each row and how far it is
#   zoo/train.sh run [ROW …]      takes up the next row that is not done (or those named), and so on
#
# A row that was stopped is resumed; several of these scripts share the queue. The program is
# $ANCESTRAL, else target/release/ancestral; data lies in $ANCESTRAL_DATA, else ../shared/data.
# Run folders are kept in zoo/unfinished; a finished one is measured (those of `reproduce` are, as
# they end), packed with `ancestral pack RUN --half --out zoo/ROW` and written into RESULTS.md.
set -euo pipefail
# Settings hold brackets, which are no patterns.
set -f
cd "$(dirname "$0")/.."
program=${ANCESTRAL:-target/release/ancestral}
data=${ANCESTRAL_DATA:-../shared/data}
threads=${THREADS:-1}
folder=zoo/unfinished

# Row by row: its name, then `reproduce` for those that the program knows by heart, else what
# `ancestral train` is told.
pixels="--data binarized-mnist --preset mnist --skip-test --set sample_count=0"
queue() {
  cat <<ROWS
diagonal-bilstm-mnist  diagonal-bilstm  $pixels
pixel-cnn-mnist     pixel-cnn  $pixels
row-lstm-mnist      row-lstm  $pixels
gated-pixel-cnn-mnist  gated-pixel-cnn  $pixels
vae-mnist-paper     reproduce
iwae5-mnist         reproduce
vae-mnist-2l        reproduce
deep-nade-mnist-2l  deep-nade  --data binarized-mnist --skip-test --preset mnist --set sample_count=0
dcgan-mnist         dcgan  --data mnist --skip-test --epochs 100 --set average_decay=0.999 --set schedule=linear --set precision=bf16 --set sample_count=0
fvsbn-adult         reproduce
iwae50-mnist        reproduce
iwae50-mnist-2l     reproduce
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
      case "$model $(state "$name")" in
        # What was begun is resumed.
        reproduce*) set -- reproduce "$name" --out "$folder/$name" ;;
        *begun) set -- train --resume "$folder/$name" --skip-test ;;
        # shellcheck disable=SC2086 # a row is words
        *) set -- train "$model" $rest --out "$folder/$name" ;;
      esac
      nice -n 19 "$program" --threads "$threads" --data-dir "$data" "$@" --quiet
    ) 9>"$folder/$name.lock" </dev/null || echo "$name: stopped" >&2
  done
}

case "${1:-}" in
  list) list ;;
  run) shift; run "$@" ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
