"""Writes the folder of a tiny Qwen2 model: configuration and a byte-level tokenizer, no weights.

usage: make_model.py DIR

vLLM fills it with random weights (--load-format dummy): the scheduler, the KV cache, the API
server and the metrics are the real ones, only what the model says is noise. Nothing is fetched.
"""
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config

HIDDEN, LAYERS = 128, 2  # about a million weights: one core gives thousands of tokens a second
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"


def tokenizer() -> PreTrainedTokenizerFast:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tok.train_from_iterator([pathlib.Path(__file__).read_text()], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tok, bos_token="<s>", eos_token="</s>")
    fast.chat_template = CHAT
    return fast


def main(out: str) -> None:
    fast = tokenizer()
    fast.save_pretrained(out)
    config = Qwen2Config(
        vocab_size=len(fast), hidden_size=HIDDEN, intermediate_size=2 * HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=8192, bos_token_id=0, eos_token_id=1)
    config.architectures = ["Qwen2ForCausalLM"]
    config.save_pretrained(out)


main(sys.argv[1])
