#!/usr/bin/env bash
# The steps that made Ember, in their order.
#
# Steps 1 and 2 need Debian 12 with python3-{regex,lxml,jinja2} and groff-base. The others need a
# GPU (one H200 was used) with torch 2.11, triton 3.6, transformers 5.17, tokenizers 0.23 and
# safetensors 0.8; step 5 needs llama.cpp. `work` (about 5 GB) must hold:
#   packages1/PACKAGE, packages2/PACKAGE  Debian packages, unpacked with dpkg -x
#   npm/NAME/package                      the two npm packages
#   chat_template.jinja                   the chat template of Qwen3.5
#   document.txt                          any English text, for the golden data
#   llama.cpp                             built, with its converter
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
work=${1:?usage: run.sh WORK_FOLDER}
cd "$work"

# 1. Text. From the second set only 30 % of openjdk-17-doc was kept, and nothing that the first has.
"$here/extract_corpus.py" packages1 npm corpus1.jsonl
"$here/extract_corpus.py" packages2 npm corpus2.jsonl corpus1.jsonl

# 2. Tokenizer.
"$here/train_tokenizer.py" corpus1.jsonl chat_template.jinja tokenizer
cp chat_template.jinja tokenizer/
xz --keep corpus1.jsonl corpus2.jsonl

# 3. Training, 1,240 seconds; the data is prepared while the model compiles.
mkdir -p data
"$here/train.py" data trained 1240 96 &
"$here/prepare_data.py" docs corpus1.jsonl.xz,corpus2.jsonl.xz tokenizer data 15
"$here/prepare_data.py" chat tokenizer data 10 200
wait $!

# 4. Export, evaluation, golden data.
"$here/export_checkpoint.py" trained/final.pt tokenizer ember
"$here/evaluate.py" ember data/heldout.json evaluation.json data/val.npy
"$here/make_prompts.py" ember document.txt prompts.json
CUDA_VISIBLE_DEVICES='' "$here/make_golden.py" ember prompts.json
"$here/make_tiny_models.py" tokenizer tiny
for name in tiny-random tiny-random-qwen3moe; do
  CUDA_VISIBLE_DEVICES='' "$here/make_golden.py" "tiny/$name" "tiny/prompts_$name.json"
done

# 5. GGUF. The converter does not know this tokenizer: let its get_vocab_base_pre return "qwen35".
llama.cpp/convert_hf_to_gguf.py ember --no-mtp --outtype bf16 --outfile ember-bf16.gguf
for type in Q4_K_M Q2_K; do
  llama.cpp/build/bin/llama-quantize ember-bf16.gguf "ember-${type,,}.gguf" "$type"
done
