"""The tokenizer of a model folder."""

from pathlib import Path
from typing import Any

from sparseembed.embedders.hub import quiet_hub
from sparseembed.errors import EmbedderError


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> Any:
    """Load a model folder's fast tokenizer.

    :param folder: A model folder.
    :param trust_remote_code: Whether code in the folder may run.
    :return: A `tokenizers.Tokenizer` that adds the model's own special tokens, cuts and pads nothing, and reads what
        looks like a special token inside a text as plain text.
    :raises EmbedderError: The folder holds none.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if file.is_file():
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises nothing more precise
            reason = " ".join(str(error).split())[:160]
            raise EmbedderError(f"{file} is damaged ({reason}): fetch or build it again") from None
    else:
        with quiet_hub():
            from transformers import AutoTokenizer

            try:
                loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
                tokenizer = loaded.backend_tokenizer
            except Exception as error:  # each tokenizer class fails in its own way
                reason = " ".join(str(error).split())[:200]
                raise EmbedderError(f"cannot load a fast tokenizer from {folder}: {reason}") from None
    return _plain(tokenizer)


def tokenizer_from(stored: bytes) -> Any:
    """Make a tokenizer of the bytes of a tokenizer.json, set as `load_tokenizer` sets it.

    :raises ValueError: They are none.
    """
    from tokenizers import Tokenizer

    try:
        return _plain(Tokenizer.from_buffer(stored))
    except Exception as error:  # the library raises nothing more precise
        raise ValueError(str(error)) from None


def _plain(tokenizer: Any) -> Any:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer
