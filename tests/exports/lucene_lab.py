"""A stand-in for OpenSearch and Elasticsearch that runs what an export writes for them, in the Lucene that is here.

It reads the body that makes an index, lines of a bulk file and bodies of queries, and does with Lucene's own classes
what the engines do: each analysis filter is the Lucene filter that their sources name, an ordinary `match` is Lucene's
`QueryBuilder`, and the scripted similarity `query.boost * doc.freq` is Anserini's ImpactSimilarity.
"""

import json
import tempfile
from functools import cache
from pathlib import Path

from sparseembed.java.jvm import java
from sparseembed.java.threads import call

SCRIPT = "return query.boost * doc.freq;"

# Names that the engines give Lucene's filters, where those are others than Lucene's own.
NAMES = {
    "apostrophe": "apostrophe",
    "arabic_normalization": "arabicNormalization",
    "bengali_normalization": "bengaliNormalization",
    "cjk_bigram": "cjkBigram",
    "cjk_width": "cjkWidth",
    "decimal_digit": "decimalDigit",
    "german_normalization": "germanNormalization",
    "hindi_normalization": "hindiNormalization",
    "indic_normalization": "indicNormalization",
    "lowercase": "lowercase",
    "porter_stem": "porterStem",
}
STEMMERS = {
    "arabic": "arabicStem",
    "bengali": "bengaliStem",
    "hindi": "hindiStem",
    "indonesian": "indonesianStem",
    "light_french": "frenchLightStem",
    "light_german": "germanLightStem",
    "light_italian": "italianLightStem",
    "light_portuguese": "portugueseLightStem",
    "light_spanish": "spanishLightStem",
    "possessive_english": "englishPossessive",
}
SNOWBALL = {"danish", "dutch", "finnish", "hungarian", "norwegian", "russian", "swedish", "turkish"}
STOPS = {"arabic": "ar", "bengali": "bn", "hindi": "hi", "indonesian": "id", "turkish": "tr"}


@cache
def _class(name):
    return java(name)


def _lucene(name):
    return _class(f"org.apache.lucene.{name}")


def _written(folder, name, lines):
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return name


def _filter(folder, number, settings):
    """Name Lucene's filter for a filter of the engines, and its parameters."""
    kind, rest = settings["type"], {key: value for key, value in settings.items() if key != "type"}
    if kind == "stop":
        words = rest.pop("stopwords")
        if words == "_english_":
            found = "stop", {}
        elif isinstance(words, list):
            found = "stop", {"words": _written(folder, f"stop{number}", words)}
        elif words.strip("_") in STOPS:
            found = "stop", {"words": f"org/apache/lucene/analysis/{STOPS[words.strip('_')]}/stopwords.txt"}
        else:
            file = f"org/apache/lucene/analysis/snowball/{words.strip('_')}_stop.txt"
            found = "stop", {"words": file, "format": "snowball"}
    elif kind == "stemmer":
        language = rest.pop("language")
        found = (
            ("snowballPorter", {"language": language.capitalize()})
            if language in SNOWBALL
            else (STEMMERS[language], {})
        )
    elif kind == "elision":
        assert rest.pop("articles_case") is True
        found = (
            "elision",
            {"articles": _written(folder, f"elision{number}", rest.pop("articles")), "ignoreCase": "true"},
        )
    elif kind == "stemmer_override":
        rules = [rule.replace("=>", "\t") for rule in rest.pop("rules")]
        found = "stemmerOverride", {"dictionary": _written(folder, f"override{number}", rules)}
    elif kind == "delimited_term_freq":
        found = "delimitedTermFrequency", {"delimiter": rest.pop("delimiter")}
    elif kind == "lowercase" and "language" in rest:
        assert rest.pop("language") == "turkish"
        found = "turkishLowercase", {}
    else:
        found = NAMES[kind], {}
    assert not rest, f"{kind}: {rest}"
    return found


def _map(values):
    found = _class("java.util.HashMap")()
    for key, value in values.items():
        found.put(key, value)
    return found


def _tokenizer(settings):
    longest = settings.get("max_token_length")
    assert settings.keys() <= {"type", "max_token_length"}
    return settings["type"], {} if longest is None else {"maxTokenLen": str(longest)}


def _analyzer(analysis, name, folder):
    """Build one of the analyzers of `settings.analysis`."""
    made = analysis["analyzer"][name]
    builder = _lucene("analysis.custom.CustomAnalyzer").builder(_class("java.nio.file.Paths").get(str(folder)))
    for number, each in enumerate(made.get("char_filter", [])):
        settings = analysis["char_filter"][each]
        assert settings["type"] == "mapping"
        rules = [" => ".join(f'"{side}"' for side in rule.split("=>")) for rule in settings["mappings"]]
        builder.addCharFilter("mapping", _map({"mapping": _written(folder, f"{name}-map{number}", rules)}))
    kind, parameters = _tokenizer(analysis.get("tokenizer", {}).get(made["tokenizer"], {"type": made["tokenizer"]}))
    builder.withTokenizer(kind, _map(parameters))
    for number, each in enumerate(made.get("filter", [])):
        lucene, parameters = _filter(folder, f"-{name}-{number}", analysis.get("filter", {}).get(each, {"type": each}))
        builder.addTokenFilter(lucene, _map(parameters))
    return builder.build()


class Lab:
    """One index. Use it in a `with` statement."""

    def __init__(self, body):
        """Take the body of `PUT /NAME`."""
        self.body = body
        self.mapping = body["mappings"]["properties"]
        self.settings = body["settings"]
        self._folder = tempfile.TemporaryDirectory()
        call(self._open)

    def _open(self):
        field, folder = self.mapping["impacts"], Path(self._folder.name)
        self.text = field["type"] == "text"
        self.directory = _lucene("store.ByteBuffersDirectory")()
        if self.text:
            assert self.settings["similarity"][field["similarity"]] == {
                "type": "scripted",
                "script": {"source": SCRIPT},
            }
            assert field["norms"] is False
            assert field["index_options"] == "freqs"
            self.analyzer = _analyzer(self.settings["analysis"], field["analyzer"], folder)
            self.search_analyzer = _analyzer(self.settings["analysis"], field["search_analyzer"], folder)
        else:
            assert field["type"] == "sparse_vector"
            self.analyzer = _lucene("analysis.core.KeywordAnalyzer")()
        self.similarity = _class("io.anserini.search.similarity.ImpactSimilarity")()
        config = _lucene("index.IndexWriterConfig")(self.analyzer)
        config.setSimilarity(self.similarity)
        self.writer = _lucene("index.IndexWriter")(self.directory, config)
        self.type = _lucene("document.FieldType")()
        self.type.setTokenized(True)
        self.type.setOmitNorms(True)
        self.type.setIndexOptions(_lucene("index.IndexOptions").DOCS_AND_FREQS)
        self.type.freeze()
        self.searcher = None

    def bulk(self, lines):
        """Take lines of a bulk body: actions and documents by turns."""
        call(self._bulk, [json.loads(line) for line in lines])

    def _bulk(self, lines):
        assert all(list(action) == ["create"] for action in lines[::2])
        for source in lines[1::2]:
            document = _lucene("document.Document")()
            ident = _lucene("util.BytesRef")(source["id"].encode())
            document.add(_lucene("document.SortedDocValuesField")("id", ident))
            document.add(_lucene("document.StoredField")("id", source["id"]))
            if self.text:
                # A StoredField has a constructor that takes a string and any type; this type is not stored.
                document.add(_lucene("document.StoredField")("impacts", source["impacts"], self.type))
            else:
                for name, value in source["impacts"].items():
                    assert "." not in name
                    document.add(_lucene("document.FeatureField")("impacts", name, float(value)))
            self.writer.addDocument(document)

    def terms(self, text):
        """Return the terms that a query text is taken apart into."""
        return call(self._terms, text)

    def _terms(self, text):
        stream = self.search_analyzer.tokenStream("impacts", text)
        term = stream.addAttribute(
            _class("java.lang.Class").forName("org.apache.lucene.analysis.tokenattributes.CharTermAttribute")
        )
        found = []
        stream.reset()
        while stream.incrementToken():
            found.append(term.toString())
        stream.end()
        stream.close()
        return found

    def search(self, bodies):
        """Run bodies of `_search`; return for each its hits, (id, score)."""
        return call(self._search, bodies)

    def _search(self, bodies):
        if self.searcher is None:
            self.writer.close()
            from jnius import cast

            reader = _lucene("index.DirectoryReader").open(self.directory)
            self.searcher = _lucene("search.IndexSearcher")(cast("org.apache.lucene.index.IndexReader", reader))
            self.searcher.setSimilarity(self.similarity)
        return [self._hits(body) for body in bodies]

    def _hits(self, body):
        assert body["sort"] == ["_score", {"id": "asc"}]
        kinds = _lucene("search.SortField$Type")
        score = _lucene("search.SortField").FIELD_SCORE
        order = _lucene("search.Sort")(score, _lucene("search.SortField")("id", kinds.STRING))
        query = self._query(body["query"])
        if query is None:
            return []
        found = self.searcher.search(query, body["size"], order, True)
        stored = self.searcher.storedFields()
        return [(stored.document(hit.doc).get("id"), hit.score) for hit in found.scoreDocs]

    def _query(self, query):
        ((kind, about),) = query.items()
        if kind == "match":
            return _lucene("util.QueryBuilder")(self.search_analyzer).createBooleanQuery("impacts", about["impacts"])
        builder = _lucene("search.BooleanQuery$Builder")()
        if kind == "bool":
            pairs = [(each["term"]["impacts"]["value"], each["term"]["impacts"]["boost"]) for each in about["should"]]
            builder.setMinimumNumberShouldMatch(about.get("minimum_should_match", 0))
        else:
            assert kind == "sparse_vector"
            assert about["field"] == "impacts"
            assert about["prune"] is False
            pairs = list(about["query_vector"].items())
        for term, boost in pairs:
            if self.text:
                one = _lucene("search.TermQuery")(_lucene("index.Term")("impacts", term))
            else:
                one = _lucene("document.FeatureField").newLinearQuery("impacts", term, 1.0)
            builder.add(_lucene("search.BoostQuery")(one, float(boost)), _lucene("search.BooleanClause$Occur").SHOULD)
        return builder.build()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._folder.cleanup()
        call(self._drop)

    def _drop(self):
        # What is Java's is freed in a thread of Java's.
        for name in ("analyzer", "search_analyzer", "similarity", "writer", "type", "searcher", "directory"):
            self.__dict__.pop(name, None)
