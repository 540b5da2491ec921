package org.sparseembed;

import java.io.IOException;
import java.util.Iterator;
import java.util.List;
import org.apache.lucene.codecs.DocValuesProducer;
import org.apache.lucene.codecs.FieldsProducer;
import org.apache.lucene.codecs.StoredFieldsReader;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.FieldInfo;
import org.apache.lucene.index.FilterCodecReader;
import org.apache.lucene.index.NumericDocValues;
import org.apache.lucene.index.SortedDocValues;
import org.apache.lucene.index.SortedNumericDocValues;
import org.apache.lucene.index.SortedSetDocValues;
import org.apache.lucene.index.StoredFieldVisitor;
import org.apache.lucene.index.Terms;
import org.apache.lucene.util.Bits;
import org.apache.lucene.util.BytesRef;

/**
 * Shows collected documents to Lucene as a segment, which it then merges into the index: so postings are written list by
 * list, and not sought term by term in a hash table. A segment of one document lends its description of the fields.
 */
final class CollectedReader extends FilterCodecReader {
  private final Collected collected;
  private final FieldsProducer postings;

  CollectedReader(CodecReader model, Collected collected) {
    super(model);
    this.collected = collected;
    postings = new Postings(collected.contents(), collected.ids());
  }

  @Override
  public int maxDoc() {
    return collected.documents();
  }

  @Override
  public int numDocs() {
    return collected.documents();
  }

  @Override
  public Bits getLiveDocs() {
    return null;
  }

  @Override
  public StoredFieldsReader getFieldsReader() {
    return new Stored();
  }

  @Override
  public DocValuesProducer getDocValuesReader() {
    return new Values();
  }

  @Override
  public FieldsProducer getPostingsReader() {
    return postings;
  }

  @Override
  public void checkIntegrity() {}

  @Override
  public CacheHelper getCoreCacheHelper() {
    return null;
  }

  @Override
  public CacheHelper getReaderCacheHelper() {
    return null;
  }

  /** The two fields that are searched. */
  private static final class Postings extends FieldsProducer {
    private final Terms contents;
    private final Terms ids;

    Postings(Terms contents, Terms ids) {
      this.contents = contents;
      this.ids = ids;
    }

    @Override
    public Iterator<String> iterator() {
      return List.of(Store.CONTENTS, Store.ID).iterator();
    }

    @Override
    public Terms terms(String field) {
      return field.equals(Store.CONTENTS) ? contents : field.equals(Store.ID) ? ids : null;
    }

    @Override
    public int size() {
      return 2;
    }

    @Override
    public void checkIntegrity() {}

    @Override
    public void close() {}
  }

  /** The two fields that are stored. */
  private final class Stored extends StoredFieldsReader {
    @Override
    public void document(int document, StoredFieldVisitor visitor) throws IOException {
      for (String field : List.of(Store.ID, Store.RAW)) {
        FieldInfo info = in.getFieldInfos().fieldInfo(field);
        if (visitor.needsField(info) == StoredFieldVisitor.Status.YES) {
          visitor.stringField(info, field.equals(Store.ID) ? collected.id(document) : collected.raw(document));
        }
      }
    }

    @Override
    public StoredFieldsReader clone() {
      return new Stored();
    }

    @Override
    public void checkIntegrity() {}

    @Override
    public void close() {}
  }

  /** The ids by document. */
  private final class Ids extends BinaryDocValues {
    private final BytesRef id = new BytesRef();
    private int document = -1;

    @Override
    public BytesRef binaryValue() {
      collected.pointId(document, id);
      return id;
    }

    @Override
    public boolean advanceExact(int target) {
      document = target;
      return true;
    }

    @Override
    public int docID() {
      return document;
    }

    @Override
    public int nextDoc() {
      return advance(document + 1);
    }

    @Override
    public int advance(int target) {
      document = target < collected.documents() ? target : NO_MORE_DOCS;
      return document;
    }

    @Override
    public long cost() {
      return collected.documents();
    }
  }

  /** The one field of values. */
  private final class Values extends DocValuesProducer {
    @Override
    public BinaryDocValues getBinary(FieldInfo field) {
      return new Ids();
    }

    @Override
    public NumericDocValues getNumeric(FieldInfo field) {
      throw new UnsupportedOperationException();
    }

    @Override
    public SortedDocValues getSorted(FieldInfo field) {
      throw new UnsupportedOperationException();
    }

    @Override
    public SortedNumericDocValues getSortedNumeric(FieldInfo field) {
      throw new UnsupportedOperationException();
    }

    @Override
    public SortedSetDocValues getSortedSet(FieldInfo field) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void checkIntegrity() {}

    @Override
    public void close() {}
  }
}
