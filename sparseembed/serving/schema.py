"""The OpenAPI schema: with the form of problems, and with the limits of this server."""

from typing import Any

from fastapi import FastAPI

from sparseembed.serving.problems import Problem
from sparseembed.serving.settings import Searching, Settings

_ASKED = ("SearchRequest", "ExplainRequest")


class DescribedApp(FastAPI):
    """An application whose schema says all that it holds requests to."""

    def describe(self, settings: Settings, searching: Searching) -> None:
        """Take what the schema is to say of limits."""
        self._limits: dict[str, dict[str, Any]] = {
            "query": {"maxLength": settings.max_query},
            "k": {"maximum": settings.max_k},
            "expand": {"enum": sorted({0, searching.expand})},
            "encoder": {"enum": sorted({"none", searching.named})},
        }

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI schema."""
        if self.openapi_schema is None:
            schema = super().openapi()
            form = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(form.pop("$defs"), Problem=form)
            for model in _ASKED:
                for name, each in schemas[model]["properties"].items():
                    self._limit(name, each)
            for methods in schema["paths"].values():
                for method in methods.values():
                    for each in method.get("parameters", []):
                        self._limit(each["name"], each["schema"])
        return self.openapi_schema or {}

    def _limit(self, name: str, schema: dict[str, Any]) -> None:
        limit = self._limits.get(name, {})
        value = next((each for each in schema.get("anyOf", []) if each.get("type") != "null"), schema)
        value.update(limit)
        if "enum" in limit:
            value.pop("minimum", None)
