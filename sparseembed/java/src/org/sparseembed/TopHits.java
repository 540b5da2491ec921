package org.sparseembed;

import java.io.IOException;
import java.util.Arrays;
import java.util.PriorityQueue;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.DocValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.search.Collector;
import org.apache.lucene.search.LeafCollector;
import org.apache.lucene.search.Scorable;
import org.apache.lucene.search.ScoreMode;
import org.apache.lucene.util.BytesRef;

/**
 * The k best documents, equal scores by id, ascending as UTF-8 bytes: over any number of segments, whatever the order of
 * documents in them. Documents that could tie with the worst are never skipped.
 */
final class TopHits implements Collector {
  /** A score, as a number that orders as scores do, and an id. */
  record Entry(long score, byte[] id) {}

  private final int k;
  private final PriorityQueue<Entry> worstFirst;
  private BinaryDocValues ids;

  TopHits(int k) {
    this.k = k;
    worstFirst = new PriorityQueue<>(Math.min(k, 1 << 12), TopHits::compare);
  }

  private static int compare(Entry one, Entry other) {
    return one.score != other.score
        ? Long.compare(one.score, other.score)
        : Arrays.compareUnsigned(other.id, one.id);
  }

  /** Turns to the documents of another segment. */
  void segment(LeafReaderContext context) throws IOException {
    ids = DocValues.getBinary(context.reader(), Store.ID);
  }

  /** Gives the score that a document must reach, 0 while there is room. */
  long needed() {
    return worstFirst.size() < k ? 0 : worstFirst.peek().score;
  }

  /** Takes a document in, in ascending order of number within a segment; says whether `needed` may have risen. */
  boolean offer(int document, long score) throws IOException {
    boolean full = worstFirst.size() == k;
    if (full && score < worstFirst.peek().score) {
      return false;
    }
    if (!ids.advanceExact(document)) {
      throw new IOException("document " + document + " has no id");
    }
    BytesRef id = ids.binaryValue();
    if (full) {
      Entry worst = worstFirst.peek();
      if (score == worst.score
          && Arrays.compareUnsigned(
                  id.bytes, id.offset, id.offset + id.length, worst.id, 0, worst.id.length)
              > 0) {
        return false;
      }
      worstFirst.poll();
    }
    worstFirst.add(new Entry(score, Arrays.copyOfRange(id.bytes, id.offset, id.offset + id.length)));
    return worstFirst.size() == k;
  }

  /** Empties the queue: the hits, best first. */
  Entry[] take() {
    Entry[] hits = new Entry[worstFirst.size()];
    for (int place = hits.length - 1; place >= 0; place--) {
      hits[place] = worstFirst.poll();
    }
    return hits;
  }

  @Override
  public ScoreMode scoreMode() {
    return ScoreMode.TOP_SCORES;
  }

  @Override
  public LeafCollector getLeafCollector(LeafReaderContext context) throws IOException {
    segment(context);
    return new Leaf();
  }

  /** Collects Lucene's scores; the bits of a float that is not negative order as it does. */
  final class Leaf implements LeafCollector {
    private Scorable scorer;

    @Override
    public void setScorer(Scorable scorer) throws IOException {
      this.scorer = scorer;
      raise();
    }

    @Override
    public void collect(int document) throws IOException {
      if (offer(document, Float.floatToIntBits(scorer.score()))) {
        raise();
      }
    }

    private void raise() throws IOException {
      if (needed() > 0) {
        scorer.setMinCompetitiveScore(Float.intBitsToFloat((int) needed()));
      }
    }
  }
}
