package org.sparseembed;

import java.io.IOException;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.FieldType;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexOptions;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.util.BytesRef;

/** One document with the fields that Anserini's searchers read, to be filled anew for each addition. */
final class Fields {
  final Document document = new Document();
  private final Field id = new StringField(Store.ID, "", Field.Store.YES);
  private final Field order = new BinaryDocValuesField(Store.ID, new BytesRef());
  private final Field contents;

  /** Makes the document: with contents that an analyzer takes apart and norms, or with impacts and a stored text. */
  Fields(boolean analysed) {
    FieldType kind = new FieldType();
    kind.setTokenized(analysed);
    kind.setOmitNorms(!analysed);
    kind.setIndexOptions(IndexOptions.DOCS_AND_FREQS);
    kind.freeze();
    contents = new Field(Store.CONTENTS, "", kind);
    document.add(id);
    document.add(order);
    document.add(contents);
    if (!analysed) {
      document.add(new StoredField(Store.RAW, ""));
    }
  }

  void fill(Strings ids, Strings texts, int place) {
    id.setStringValue(ids.get(place));
    order.setBytesValue(ids.copy(place));
    contents.setStringValue(texts.get(place));
  }

  /** Writes the document into an index in memory; gives its one segment. */
  static CodecReader model() throws IOException {
    ByteBuffersDirectory directory = new ByteBuffersDirectory();
    try (IndexWriter writer = new IndexWriter(directory, new IndexWriterConfig(null))) {
      writer.addDocument(new Fields(false).document);
    }
    return (CodecReader) DirectoryReader.open(directory).leaves().get(0).reader();
  }
}
