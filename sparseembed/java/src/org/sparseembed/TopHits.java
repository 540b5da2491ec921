package org.sparseembed;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
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
 * documents in them. Documents that tie with the worst are kept aside, and never skipped; ids are read at the end.
 */
final class TopHits implements Collector {
  /** A score, as a number that orders as scores do, and an id. */
  record Entry(long score, byte[] id) {
    static int compare(Entry one, Entry other) {
      return one.score != other.score
          ? Long.compare(other.score, one.score)
          : Arrays.compareUnsigned(one.id, other.id);
    }
  }

  /** Takes the id of the document at a place of a list. */
  private interface IdUse {
    void take(int place, BytesRef id);
  }

  private final int k;
  // A heap, the worst score first.
  private long[] scores;
  private int[] documents;
  private int size;
  // Documents outside the heap with the score of its worst.
  private int[] tied = new int[16];
  private int ties;
  private int base;

  TopHits(int k) {
    this.k = k;
    scores = new long[Math.min(k, 1024)];
    documents = new int[scores.length];
  }

  /** Turns to the documents of another segment. */
  void segment(LeafReaderContext context) {
    base = context.docBase;
  }

  /** Gives the score that a document must reach, 0 while there is room. */
  long needed() {
    return size < k ? 0 : scores[0];
  }

  /** Takes a document of the segment in; says whether `needed` may have risen. */
  boolean offer(int document, long score) {
    if (size < k) {
      push(score, base + document);
      return size == k;
    }
    long worst = scores[0];
    if (score <= worst) {
      if (score == worst) {
        tie(base + document);
      }
      return false;
    }
    int dropped = documents[0];
    sink(score, base + document);
    if (scores[0] == worst) {
      tie(dropped);
      return false;
    }
    ties = 0;
    return true;
  }

  /** Gives the hits, best first. */
  Entry[] take(List<LeafReaderContext> leaves) throws IOException {
    int[] chosen = Arrays.copyOf(documents, size);
    long[] worth = Arrays.copyOf(scores, size);
    if (ties > 0) {
      settle(leaves, chosen, worth);
    }
    Integer[] order = new Integer[size];
    Arrays.setAll(order, place -> place);
    Arrays.sort(order, (one, other) -> Integer.compare(chosen[one], chosen[other]));
    int[] sorted = new int[size];
    Arrays.setAll(sorted, place -> chosen[order[place]]);
    Entry[] hits = new Entry[size];
    ids(leaves, sorted, (place, id) -> hits[place] = new Entry(worth[order[place]], copy(id)));
    Arrays.sort(hits, Entry::compare);
    return hits;
  }

  /** Chooses by id among all documents with the worst score. */
  private void settle(List<LeafReaderContext> leaves, int[] chosen, long[] worth) throws IOException {
    int inside = 0;
    int[] contested = Arrays.copyOf(tied, ties + size);
    for (int place = 0; place < size; place++) {
      if (worth[place] == worth[0]) {
        contested[ties + inside++] = chosen[place];
      }
    }
    int[] sorted = Arrays.copyOf(contested, ties + inside);
    Arrays.sort(sorted);
    int wanted = inside;
    record Named(byte[] id, int document) {}
    PriorityQueue<Named> last =
        new PriorityQueue<>((one, other) -> Arrays.compareUnsigned(other.id, one.id));
    ids(
        leaves,
        sorted,
        (place, id) -> {
          if (last.size() == wanted) {
            byte[] worst = last.peek().id;
            if (Arrays.compareUnsigned(id.bytes, id.offset, id.offset + id.length, worst, 0, worst.length) > 0) {
              return;
            }
            last.poll();
          }
          last.add(new Named(copy(id), sorted[place]));
        });
    for (int place = 0; place < size; place++) {
      if (worth[place] == worth[0]) {
        chosen[place] = last.poll().document;
      }
    }
  }

  /** Reads the ids of documents, which ascend. */
  private static void ids(List<LeafReaderContext> leaves, int[] ascending, IdUse use) throws IOException {
    int leaf = -1;
    int past = 0;
    BinaryDocValues ids = null;
    for (int place = 0; place < ascending.length; place++) {
      while (ascending[place] >= past) {
        leaf++;
        past = leaves.get(leaf).docBase + leaves.get(leaf).reader().maxDoc();
        ids = null;
      }
      if (ids == null) {
        ids = DocValues.getBinary(leaves.get(leaf).reader(), Store.ID);
      }
      if (!ids.advanceExact(ascending[place] - leaves.get(leaf).docBase)) {
        throw new IOException("document " + ascending[place] + " has no id");
      }
      use.take(place, ids.binaryValue());
    }
  }

  private static byte[] copy(BytesRef id) {
    return Arrays.copyOfRange(id.bytes, id.offset, id.offset + id.length);
  }

  private void tie(int document) {
    if (ties == tied.length) {
      tied = Arrays.copyOf(tied, ties + (ties >> 1));
    }
    tied[ties++] = document;
  }

  private void push(long score, int document) {
    if (size == scores.length) {
      int length = (int) Math.min(k, 2L * size);
      scores = Arrays.copyOf(scores, length);
      documents = Arrays.copyOf(documents, length);
    }
    int place = size++;
    while (place > 0 && scores[(place - 1) >> 1] > score) {
      scores[place] = scores[(place - 1) >> 1];
      documents[place] = documents[(place - 1) >> 1];
      place = (place - 1) >> 1;
    }
    scores[place] = score;
    documents[place] = document;
  }

  /** Puts a document in the place of the worst. */
  private void sink(long score, int document) {
    int place = 0;
    for (int child = 1; child < size; child = 2 * place + 1) {
      if (child + 1 < size && scores[child + 1] < scores[child]) {
        child++;
      }
      if (scores[child] >= score) {
        break;
      }
      scores[place] = scores[child];
      documents[place] = documents[child];
      place = child;
    }
    scores[place] = score;
    documents[place] = document;
  }

  @Override
  public ScoreMode scoreMode() {
    return ScoreMode.TOP_SCORES;
  }

  @Override
  public LeafCollector getLeafCollector(LeafReaderContext context) {
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
