"""What is fetched from the hub, without the hub."""

from sparseembed.embedders import sources
from sparseembed.embedders.sources import model_folder


def test_weights_in_pytorchs_format_are_fetched_only_where_there_are_no_others(tmp_path, monkeypatch):
    wanted = []

    def fetch(model, revision, patterns):
        wanted.append([pattern for pattern in patterns if pattern.endswith(("safetensors", "bin"))])
        return tmp_path

    monkeypatch.setattr(sources, "fetch", fetch)
    assert model_folder("owner/model", "v1") == tmp_path
    assert wanted == [["*.safetensors"], ["pytorch_model*.bin"]]
    (tmp_path / "model.safetensors").touch()
    wanted.clear()
    model_folder("owner/model", "v1")
    assert wanted == [["*.safetensors"]]
