"""`sparseembed analyze` on tiny models: what it writes, prints, reuses and refuses."""

import json

import numpy as np
import pytest

from sparseembed.alignment.adjustment import fit_adjustment
from sparseembed.analysis.demonstrations.lens import open_lens
from sparseembed.cli import main
from sparseembed.embedders.spec import EmbedderSpec
from sparseembed.embedders.transformer import TransformerEmbedder

WORDS = [
    "cat",
    "mat",
    "dog",
    "whale",
    "river",
    "sea",
    "light",
    "water",
    "sugar",
    "green",
    "plants",
    "milk",
    "earth",
    "sun",
    "sand",
    "books",
    "fish",
    "air",
    "feeds",
    "young",
]
LINES = [
    f"The {WORDS[row % 20]} and the {WORDS[(3 * row + 1) % 20]} near a {WORDS[(7 * row) % 20]}." for row in range(30)
]


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("\n".join([*LINES, "", "  "]) + "\n")
    return file


@pytest.fixture
def words(tiny_model, texts, tmp_path):
    """The words of a command that works."""
    model = ["--embedder", str(tiny_model("tied")), "--dtype", "float32", "--device", "cpu"]
    return ["analyze", *model, "--texts", str(texts), "--out", str(tmp_path / "report")]


def refused(words, capsys):
    """Run a command that must fail; return the one line that it tells."""
    capsys.readouterr()
    assert main([*words, "-q"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    return told.err


def test_it_writes_a_report_and_tells_the_verdict(words, tmp_path, capsys):
    assert main(words) == 0
    told = capsys.readouterr().out
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["verdict"]["verdict"] in told.splitlines()[0]
    assert told.splitlines()[-1] == f"the report is {tmp_path / 'report' / 'report.html'}"
    assert (tmp_path / "report" / "report.html").is_file()
    assert report["about"]["count"] == 30
    assert report["about"]["left_out"] == 2
    # Without --against, the same weights as they come: the bare text, pooled by mean.
    assert report["about"]["backbone"]["pooling"] == "mean"
    assert report["about"]["backbone"]["document_prompt"] == "{text}"
    assert report["about"]["backbone"]["weights"] == report["about"]["embedder"]["weights"]
    assert report["about"]["embedder"]["max_length"] == 256


def test_an_embedder_that_is_its_own_backbone_has_not_changed(words, tmp_path, capsys):
    raw = ["--document-prompt", "{text}", "--pooling", "mean", "--json"]
    assert main([*words, *raw]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    sides = [[{**row, "side": ""} for row in figures if row["side"] == side] for side in ("embedder", "backbone")]
    assert sides[0] == sides[1]
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["spectrum"]["variation"] == [0.0] * 32


def test_the_json_is_the_reports(words, tmp_path, capsys):
    assert main([*words, "--json", "--terms", "folded", "--limit", "25"]) == 0
    told = json.loads(capsys.readouterr().out)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["verdict"] == report["verdict"]
    assert told["about"]["terms"] == "folded"
    assert told["figures"][0]["hit@10"] == report["measured"][0]["hit"][9]
    assert told["about"]["count"] + told["about"]["left_out"] == 25


def test_a_second_run_encodes_nothing_and_writes_the_same(words, tmp_path, capsys):
    assert main(words) == 0
    first = (tmp_path / "report" / "report.json").read_bytes()
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().err.count("reusing the embeddings") == 2
    assert (tmp_path / "report" / "report.json").read_bytes() == first


def test_an_encoder_of_another_tokenizer_is_refused(words, model_copy, capsys):
    other = model_copy("untied")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["zzz"] = max(vocabulary.values()) + 1
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "tokenizers of" in refused([*words, "--against", str(other)], capsys)


def test_a_backbone_of_another_width_is_refused(words, tiny_model, tiny_tokenizer, tmp_path, capsys):
    import transformers

    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.LlamaConfig(vocab_size=tiny_tokenizer.get_vocab_size(), **shape)
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path / "narrow")
    tiny_tokenizer.save(str(tmp_path / "narrow" / "tokenizer.json"))
    assert "32 numbers and narrow 16" in refused([*words, "--against", str(tmp_path / "narrow")], capsys)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("\n".join(LINES[:19]), "19 texts have a token, and the analysis needs 20"),
        (" \n \n", "not one of 2 texts has a token"),
        ("", "no documents"),
    ],
)
def test_too_few_texts_are_refused(words, texts, content, told, capsys):
    texts.write_text(content)
    assert told in refused(words, capsys)


def test_a_model_that_gives_nan_is_refused(words, model_copy, capsys):
    import torch
    from safetensors.torch import load_file, save_file

    broken = model_copy("untied")
    tensors = load_file(broken / "model.safetensors")
    tensors["model.norm.weight"] = torch.full_like(tensors["model.norm.weight"], float("nan"))
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    assert "NaN" in refused([*words, "--embedder", str(broken)], capsys)


def test_other_peoples_folders_are_left_alone(words, tmp_path, capsys):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("mine")
    assert "is no report" in refused(words, capsys)
    assert (tmp_path / "report" / "mine.txt").read_text() == "mine"


def test_a_limit_below_the_least_is_refused(words, capsys):
    assert "at least 20" in refused([*words, "--limit", "5"], capsys)


def test_the_report_holds_what_the_embedding_says(words, tmp_path):
    assert main([*words, "--document-prompt", '"{text}"']) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    page = (tmp_path / "report" / "report.html").read_text()
    found = report["demonstrations"]
    assert [each["kind"] for each in found["relatedness"]["kinds"]] == [
        "paraphrase",
        "negation",
        "related",
        "unrelated",
    ]
    assert [each["name"] for each in found["instructions"]["instructions"]][:2] == ["topic", "sentiment"]
    assert len(found["instructions"]["texts"]) == 8
    assert found["relatedness"]["fitted_on"] == "the texts analysed"
    assert "<h2>What the embedding says</h2>" in page
    assert found["relatedness"]["pairs"][1]["texts"][1] in page


def test_an_embedder_without_room_for_instructions_has_a_report_all_the_same(words, tmp_path, capsys):
    assert main([*words, "--document-prompt", "{text}", "--max-length", "24"]) == 0
    assert "the demonstrations are left out" in capsys.readouterr().err
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert "no room" in report["demonstrations"]["left_out"]


def test_an_encoders_embeddings_go_through_its_heads_transform(words, tiny_tokenizer, tmp_path):
    import transformers

    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=tiny_tokenizer.get_vocab_size(), initializer_range=0.3, **shape)
    transformers.BertForMaskedLM(config).save_pretrained(tmp_path / "masked")
    tiny_tokenizer.save(str(tmp_path / "masked" / "tokenizer.json"))
    model = ["--embedder", str(tmp_path / "masked"), "--pooling", "mean", "--attention", "bidirectional"]
    assert main([*words, *model, "--document-prompt", "{text}", "--terms", "folded"]) == 0
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    embedder = TransformerEmbedder(EmbedderSpec(**report["about"]["embedder"]))
    seen = open_lens(embedder, "folded")
    fitted = fit_adjustment("pc1", seen.inputs(embedder.encode(LINES)))
    for pair in report["demonstrations"]["relatedness"]["pairs"][:3]:
        scores = seen.scores(fitted.apply(seen.inputs(embedder.encode(pair["texts"]))))
        assert pair["vocabulary_cosine"] == pytest.approx(np.corrcoef(scores)[0, 1], abs=1e-3)
