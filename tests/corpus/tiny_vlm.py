"""Vision-language models of a few thousand weights, drawn at random, saved as real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

SIDE, PATCH = 32, 8
_SIZE = {"height": SIDE, "width": SIDE}
SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", "<image>")
_TEXT = """
    a the man woman tree house car street slide chart table of with and in on red blue green
    white black stands shows walks holds many some USER ASSISTANT Describe one sentence what
    this picture . :
"""
WORDS = tuple(_TEXT.split())
_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | upper }} : "
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %}ASSISTANT : {% endif %}"
)


def _tokenizer() -> Any:
    words = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    tokenizer: Any = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL))
    wrap: Any = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
    )


def _shaken(model: Any) -> Any:
    """Weights large enough that the answer depends on the picture and is not one word."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return model.eval()


def save_llava(folder: Path, *, template: bool = True) -> Path:
    """A decoder that sees the picture as tokens; with a chat template or without."""
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            **_SMALL, image_size=SIDE, patch_size=PATCH, projection_dim=32
        ),
        text_config=LlamaConfig(
            **_SMALL,
            num_key_value_heads=2,
            vocab_size=len(SPECIAL) + len(WORDS),
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=3,
        ),
        tie_word_embeddings=False,
        image_token_index=SPECIAL.index("<image>"),
        vision_feature_layer=-1,
    )
    processor: Any = LlavaProcessor
    processor = processor(
        image_processor=CLIPImageProcessorPil(size=_SIZE, do_center_crop=False),
        tokenizer=_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE if template else None,
        image_token="<image>",
        num_additional_image_tokens=1,
    )
    model = _shaken(LlavaForConditionalGeneration(config))
    with torch.no_grad():
        # A picture's place among the words is nothing to say.
        model.lm_head.weight[SPECIAL.index("<image>")] = 0
    # What a published folder may ask for and a corpus must not follow.
    model.generation_config.update(do_sample=True, temperature=1.5, top_k=5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_blip(folder: Path) -> Path:
    """A captioner that takes no question."""
    folder.mkdir()
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
    words = (*special, *dict.fromkeys(word.lower() for word in WORDS))
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    config = BlipConfig(
        text_config={
            **_SMALL,
            "vocab_size": len(words),
            "encoder_hidden_size": 32,
            "bos_token_id": words.index("[DEC]"),
            "pad_token_id": words.index("[PAD]"),
            "eos_token_id": words.index("[SEP]"),
            "sep_token_id": words.index("[SEP]"),
        },
        vision_config={**_SMALL, "image_size": SIDE, "patch_size": PATCH},
    )
    tokenizer = BertTokenizer(
        str(folder / "vocab.txt"), additional_special_tokens=["[DEC]"], do_lower_case=True
    )
    processor: Any = BlipProcessor
    processor = processor(BlipImageProcessorPil(size=_SIZE), tokenizer)
    _shaken(BlipForConditionalGeneration(config)).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
