"""The hub: one commit a push, in a repository that is made private; the client is called as it wants to be."""

import inspect

import pytest

from sparseembed.embedders.adapters import SHIPPED, adapter_folder
from sparseembed.errors import TransferError
from sparseembed.sharing.pull import pull
from sparseembed.sharing.push import push

registry = pytest.importorskip("fsspec.registry")
MemoryFileSystem = pytest.importorskip("fsspec.implementations.memory").MemoryFileSystem
hub = pytest.importorskip("huggingface_hub")
pytestmark = pytest.mark.usefixtures("silence")
ADAPTER = adapter_folder(f"{SHIPPED}smollm2-135m-aligned")


class Api:
    """What the hub's client does with repositories, on a file system in memory."""

    def __init__(self):
        self.calls = []

    def create_repo(self, *arguments, **options):
        inspect.signature(hub.HfApi.create_repo).bind(self, *arguments, **options)
        assert options["private"]
        assert options["exist_ok"]
        self.repository = f"{options['repo_type'].replace('dataset', 'datasets/').replace('model', '')}{arguments[0]}"

    def create_commit(self, *arguments, **options):
        inspect.signature(hub.HfApi.create_commit).bind(self, *arguments, **options)
        operations = arguments[1]
        self.calls.append((options["repo_type"], options["revision"], [each.path_in_repo for each in operations]))
        memory = MemoryFileSystem()
        at = "" if options["revision"] is None else f"@{options['revision']}"
        for each in operations:
            path = f"/{self.repository}{at}/{each.path_in_repo}"
            if isinstance(each, hub.CommitOperationDelete):
                memory.rm_file(path)
            else:
                with each.as_file() as handle:
                    memory.pipe_file(path, handle.read())


@pytest.fixture
def api(monkeypatch):
    made = Api()

    class HubInMemory(MemoryFileSystem):
        protocol = "hf"
        cachable = False
        _api = made

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix("hf://"))

    MemoryFileSystem.store.clear()
    monkeypatch.setitem(registry._registry, "hf", HubInMemory)
    return made


@pytest.mark.parametrize(
    ("url", "kind", "revision", "folder"),
    [
        ("hf://owner/name", "model", None, ""),
        ("hf://owner/name@v2/some/folder", "model", "v2", "some/folder/"),
        ("hf://datasets/owner/name", "dataset", None, ""),
    ],
)
def test_one_commit_there_and_back(api, url, kind, revision, folder, tmp_path):
    push(ADAPTER, url)
    names = {each.name for each in ADAPTER.iterdir()} | {"checksums.json"}
    assert [(call[0], call[1], sorted(call[2])) for call in api.calls] == [
        (kind, revision, sorted(folder + name for name in names))
    ]
    push(ADAPTER, url)
    assert len(api.calls) == 1  # nothing is done twice
    pull(url, tmp_path / "back")
    assert {each.name for each in (tmp_path / "back").iterdir()} == names
    assert all((tmp_path / "back" / each.name).read_bytes() == each.read_bytes() for each in ADAPTER.iterdir())
    # What is no part of it any more is removed, and what is the same is not sent again.
    (tmp_path / "back" / "README.md").unlink()
    with pytest.raises(TransferError, match="holds another adapter"):
        push(tmp_path / "back", url)
    push(tmp_path / "back", url, overwrite=True)
    assert sorted(api.calls[-1][2]) == [f"{folder}README.md", f"{folder}checksums.json"]
    pull(url, tmp_path / "less")
    assert {each.name for each in (tmp_path / "less").iterdir()} == names - {"README.md"}


def test_a_hub_that_refuses_is_one_line(api, monkeypatch):
    def refused(*arguments, **options):
        raise ValueError("401 Client Error: Unauthorized\nfor url https://...")

    monkeypatch.setattr(api, "create_repo", refused)
    with pytest.raises(TransferError, match=r"cannot be written \(401 Client Error") as found:
        push(ADAPTER, "hf://owner/name")
    assert "\n" not in str(found.value)
