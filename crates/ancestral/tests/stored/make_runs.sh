#!/usr/bin/env bash
# Trains the stored runs again, into this folder: make_runs.sh PROGRAM
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"

common=(--set sample_count=0 --skip-test --json)
train() { "$program" train "$@" "${common[@]}"; }

# Interrupts a run, as Ctrl-C does, until it has stopped in the middle of its second epoch or of a
# later one.
interrupted() {
  local said
  while true; do
    rm -rf "${@: -1}"
    said=$(timeout -s INT "0.$((RANDOM % 30 + 10))" "$program" train "${common[@]}" "$@") || true
    python3 -c '
import json, sys
run = json.loads(sys.argv[1] or "{}")
sys.exit(run.get("finished", True) or run["epoch"] < 1 or run["epoch"] % 1 < 0.2)
' "$said" && break
  done
}

rm -rf ./*-reals ./*-rings ./*-3-7 unfinished-*

train rnade --data reals.csv --epochs 6 --set batch_size=20 --set hidden=8 --set components=3 \
  --set learning_rate=0.01 --out rnade-reals
train vae --data reals.csv --epochs 6 --set batch_size=20 --set 'hidden=[[10],[6]]' \
  --set 'latent_dims=[3,2]' --set learning_rate=0.01 --set optimiser=adamw \
  --set average_decay=0.9 --out vae-reals
train wgan --data rings:8 --steps 80 --set batch_size=64 --set 'generator_hidden=[12,10]' \
  --set 'critic_hidden=[12,10]' --out wgan-rings
train began --data rings:8 --steps 80 --set batch_size=64 --set 'generator_hidden=[12,10]' \
  --set 'critic_hidden=[12,10]' --set code_dim=2 --out began-rings
train cgan --data digits-3-7.npz --epochs 4 --set batch_size=20 --set network=dcgan \
  --set features=2 --set latent_dim=4 --set learning_rate=0.002 --out cgan-classes-3-7
train ae --data digits-3-7.npz --epochs 4 --set batch_size=20 --set 'channels=[2]' \
  --set 'hidden=[8]' --set latent_dim=3 --set noise=0.2 --set optimiser=rmsprop \
  --out ae-classes-3-7

interrupted vae --data digits --binarize dynamic --epochs 4 --set batch_size=40 \
  --set 'hidden=[[8]]' --set 'latent_dims=[2]' --set learning_rate=0.02 --set schedule=cosine \
  --set checkpoint_seconds=0 --out unfinished-vae-digits
interrupted wgan-gp --data rings:8 --epochs 4 --set batch_size=500 \
  --set 'generator_hidden=[10,8]' --set 'critic_hidden=[10,8]' --set critic_steps=2 \
  --set critic_norm=layer --set checkpoint_seconds=0 --out unfinished-wgan-gp-rings

# The data is next to the runs; files that no command reads are removed.
sed -i "s|^name = \"$PWD/|name = \"|" ./*/config.toml
rm -rf ./*/lock ./*/events.out.tfevents.* ./*/*.svg ./*/samples
