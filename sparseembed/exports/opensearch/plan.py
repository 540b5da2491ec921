"""What an export to these engines is made of, whether to files or to a cluster that runs."""

from functools import cached_property
from typing import Any

from sparseembed.exports.opensearch.forms import Space, check_index_name, form_of, index_body
from sparseembed.exports.opensearch.metadata import metadata_mapping
from sparseembed.exports.sink import Facts, Target
from sparseembed.progress import note

_FORMAT = 1


class Plan:
    """The index that is to be made: its name, its body, how documents are written."""

    def __init__(self, to: str, target: Target, facts: Facts) -> None:
        """Work it out.

        :param to: A key of `FORMS`.
        :param target: Where it goes.
        :param facts: What is known of our index.
        :raises ConfigError: The engine allows no such name of an index or field.
        """
        manifest = facts.manifest
        self.to, self.form, self.name = to, form_of(to), check_index_name(target.name)
        self.space = Space(manifest.sparse["terms"], manifest.analyzer)
        self.documents, self.commit = facts.documents, facts.commit
        self._largest = int(manifest.quantizer["levels"])
        self._metadata = metadata_mapping(facts.snapshot)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The body of `PUT /NAME`."""
        about = {
            "format": _FORMAT,
            "form": self.to,
            "commit": self.commit,
            "documents": self.documents,
            "terms": self.space.kind,
            "analyzer": self.space.analyzer,
        }
        body = index_body(self.form, self.space, self._metadata, about)
        fields = _fields(self._metadata)
        if fields > 900:  # 1,000 is what an index may have unless it says otherwise
            body["settings"]["mapping"] = {"total_fields": {"limit": fields + 100}}
        return body

    def tell(self) -> None:
        """Say what of our scores is not theirs, if anything."""
        if self.form.vector and self._largest > self.form.exact:
            note(
                f"{self.form.engine} keeps 9 significant bits of a weight, and this index has impacts up to "
                f"{self._largest:,}: those above {self.form.exact} are rounded down by up to .4%"
            )
        if not self.form.vector and not self.space.matched:
            terms = f"the analyzer {self.space.analyzer}" if self.space.analyzer else "the pieces of this index"
            note(
                f"{self.form.engine} has nothing that gives the terms of {terms}: queries go as weighted terms "
                "(sparseembed.exports.opensearch.queries.terms_body), a plain text does not match"
            )


def _fields(properties: dict[str, Any]) -> int:
    return sum(1 + _fields(each.get("properties", {})) for each in properties.values())
