"""Small decoders with tokenizers of their own, trained on texts: members in an hour or a second.

What is fused in the demo, the tests and the union table, where no pretrained model can be fetched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zhufeng.base import lazy_names

if TYPE_CHECKING:
    from zhufeng.fusion.small._tokenizer import END, train_tokenizer
    from zhufeng.fusion.small._tokens import write_tokens
    from zhufeng.fusion.small._train import train_small

__getattr__ = lazy_names(
    __name__,
    {
        "END": "_tokenizer",
        "train_small": "_train",
        "train_tokenizer": "_tokenizer",
        "write_tokens": "_tokens",
    },
    extra="fusion",
)

__all__ = ["END", "train_small", "train_tokenizer", "write_tokens"]
