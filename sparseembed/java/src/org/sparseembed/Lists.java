package org.sparseembed;

import java.io.IOException;
import org.apache.lucene.index.BaseTermsEnum;
import org.apache.lucene.index.ImpactsEnum;
import org.apache.lucene.index.PostingsEnum;
import org.apache.lucene.index.SlowImpactsEnum;
import org.apache.lucene.index.Terms;
import org.apache.lucene.index.TermsEnum;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.IntroSorter;

/** Terms and their lists of documents, in memory, as Lucene reads them when it merges: from the first to the last. */
final class Lists extends Terms {
  /** Points `ref` to the bytes of a term. */
  interface Names {
    void point(int term, BytesRef ref);
  }

  private final Names names;
  private final int[] order;
  private final int[] starts;
  private final int[] documents;
  private final short[] frequencies;

  /**
   * Takes terms and lists.
   *
   * @param names the bytes of each term
   * @param order the terms, sorted by their bytes
   * @param starts where the list of each term begins in `documents`; one more for the end of the last
   * @param documents the documents of each term, ascending
   * @param frequencies a frequency for each of them, read without a sign; null for 1
   */
  Lists(Names names, int[] order, int[] starts, int[] documents, short[] frequencies) {
    this.names = names;
    this.order = order;
    this.starts = starts;
    this.documents = documents;
    this.frequencies = frequencies;
  }

  /** Sorts the numbers from 0 to `count` by their terms' bytes; a term that occurs twice is an error. */
  static int[] sorted(int count, Names names) {
    int[] order = new int[count];
    for (int place = 0; place < count; place++) {
      order[place] = place;
    }
    BytesRef one = new BytesRef();
    BytesRef other = new BytesRef();
    BytesRef pivot = new BytesRef();
    new IntroSorter() {
      @Override
      protected void swap(int i, int j) {
        int moved = order[i];
        order[i] = order[j];
        order[j] = moved;
      }

      @Override
      protected void setPivot(int i) {
        names.point(order[i], pivot);
      }

      @Override
      protected int comparePivot(int j) {
        names.point(order[j], other);
        return pivot.compareTo(other);
      }
    }.sort(0, count);
    for (int place = 1; place < count; place++) {
      names.point(order[place - 1], one);
      names.point(order[place], other);
      if (one.bytesEquals(other)) {
        throw new IllegalArgumentException("'" + one.utf8ToString() + "' occurs twice");
      }
    }
    return order;
  }

  @Override
  public TermsEnum iterator() {
    return new Walk();
  }

  @Override
  public long size() {
    return -1;
  }

  @Override
  public long getSumTotalTermFreq() {
    long sum = 0;
    for (int place = 0; place < documents.length; place++) {
      sum += frequencies == null ? 1 : frequencies[place] & 0xffff;
    }
    return sum;
  }

  @Override
  public long getSumDocFreq() {
    return documents.length;
  }

  @Override
  public int getDocCount() {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean hasFreqs() {
    return frequencies != null;
  }

  @Override
  public boolean hasOffsets() {
    return false;
  }

  @Override
  public boolean hasPositions() {
    return false;
  }

  @Override
  public boolean hasPayloads() {
    return false;
  }

  /** Walks the terms that have documents. */
  private final class Walk extends BaseTermsEnum {
    private final BytesRef name = new BytesRef();
    private int place = -1;

    @Override
    public BytesRef next() {
      do {
        place++;
      } while (place < order.length && docFreq() == 0);
      if (place >= order.length) {
        return null;
      }
      names.point(order[place], name);
      return name;
    }

    @Override
    public BytesRef term() {
      return name;
    }

    @Override
    public int docFreq() {
      return starts[order[place] + 1] - starts[order[place]];
    }

    @Override
    public long totalTermFreq() throws IOException {
      long sum = 0;
      for (int each = starts[order[place]]; each < starts[order[place] + 1]; each++) {
        sum += frequencies == null ? 1 : frequencies[each] & 0xffff;
      }
      return sum;
    }

    @Override
    public PostingsEnum postings(PostingsEnum reuse, int flags) {
      List list = reuse instanceof List ? (List) reuse : new List();
      list.start(starts[order[place]], starts[order[place] + 1]);
      return list;
    }

    @Override
    public ImpactsEnum impacts(int flags) {
      return new SlowImpactsEnum(postings(null, flags));
    }

    @Override
    public SeekStatus seekCeil(BytesRef text) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void seekExact(long ord) {
      throw new UnsupportedOperationException();
    }

    @Override
    public long ord() {
      throw new UnsupportedOperationException();
    }
  }

  /** Walks the documents of a term. */
  private final class List extends PostingsEnum {
    private int next;
    private int end;
    private int document;

    void start(int start, int end) {
      this.next = start;
      this.end = end;
      this.document = -1;
    }

    @Override
    public int docID() {
      return document;
    }

    @Override
    public int nextDoc() {
      document = next < end ? documents[next] : NO_MORE_DOCS;
      next++;
      return document;
    }

    @Override
    public int advance(int target) throws IOException {
      return slowAdvance(target);
    }

    @Override
    public long cost() {
      return end - next;
    }

    @Override
    public int freq() {
      return frequencies == null ? 1 : frequencies[next - 1] & 0xffff;
    }

    @Override
    public int nextPosition() {
      return -1;
    }

    @Override
    public int startOffset() {
      return -1;
    }

    @Override
    public int endOffset() {
      return -1;
    }

    @Override
    public BytesRef getPayload() {
      return null;
    }
  }
}
