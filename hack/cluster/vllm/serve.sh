#!/bin/bash
# usage: serve.sh ROOT [vLLM flags]: real vLLM with the tiny model on one core's worth of threads.
# Small limits make pressure easy: 8 sequences, 40 KV blocks of 128 tokens (5,120 tokens). A later
# flag on the command line wins over one written here. Not bfloat16: on a CPU with AMX tiles the worker of
# vLLM 0.32 dies of a prompt of one token.
set -eu
root=$1
shift
export VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export OMP_NUM_THREADS=1 VLLM_CPU_OMP_THREADS_BIND=nobind
cd /tmp
exec "$root/venv/bin/python" -m vllm.entrypoints.openai.api_server --model "$root/model" --served-model-name tiny \
  --load-format dummy --max-model-len 4096 --max-num-seqs 8 --num-gpu-blocks-override 40 --enforce-eager --dtype float32 \
  --host 0.0.0.0 --port 8000 "$@"
