package org.sparseembed;

import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.tokenattributes.TermFrequencyAttribute;
import org.apache.lucene.analysis.tokenattributes.TermToBytesRefAttribute;
import org.apache.lucene.util.AttributeImpl;
import org.apache.lucene.util.AttributeReflector;
import org.apache.lucene.util.BytesRef;

/** The terms of one document: each term's bytes as they are, its impact as its frequency. Nothing is parsed. */
final class ImpactStream extends TokenStream {
  private final TermBytes term = new TermBytes();
  private final TermFrequencyAttribute frequency;
  private Strings vocabulary;
  private Strings extra;
  private IntBuffer numbers;
  private ShortBuffer impacts;
  private int next;
  private int end;

  ImpactStream() {
    addAttributeImpl(term);
    frequency = addAttribute(TermFrequencyAttribute.class);
  }

  /** Takes a block: numbers below the vocabulary's size name its terms, the others those of `extra`. */
  void block(Strings vocabulary, Strings extra, IntBuffer numbers, ShortBuffer impacts) {
    this.vocabulary = vocabulary;
    this.extra = extra;
    this.numbers = numbers;
    this.impacts = impacts;
  }

  void document(int start, int end) {
    this.next = start;
    this.end = end;
  }

  @Override
  public void reset() {
    clearAttributes();
  }

  @Override
  public boolean incrementToken() {
    if (next == end) {
      return false;
    }
    int number = numbers.get(next);
    if (number < vocabulary.size()) {
      vocabulary.point(number, term.bytes);
    } else {
      extra.point(number - vocabulary.size(), term.bytes);
    }
    frequency.setTermFrequency(impacts.get(next) & 0xffff);
    next++;
    return true;
  }

  /** Lets Lucene read a term's bytes where they lie. */
  static final class TermBytes extends AttributeImpl implements TermToBytesRefAttribute {
    private final BytesRef bytes = new BytesRef();

    @Override
    public BytesRef getBytesRef() {
      return bytes;
    }

    @Override
    public void clear() {}

    @Override
    public void reflectWith(AttributeReflector reflector) {
      reflector.reflect(TermToBytesRefAttribute.class, "bytes", bytes);
    }

    @Override
    public void copyTo(AttributeImpl target) {
      throw new UnsupportedOperationException();
    }
  }
}
