package org.sparseembed;

import java.io.IOException;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.FilterDirectoryReader;
import org.apache.lucene.index.FilterLeafReader;
import org.apache.lucene.index.LeafReader;
import org.apache.lucene.util.Bits;
import org.apache.lucene.util.FixedBitSet;

/** Some of the documents of a reader, as if the others were deleted. It is not to be closed: the reader is not its own. */
final class Chosen extends FilterDirectoryReader {
  private final byte[] bits;

  /** Takes a bit for each document that is not deleted, in their order, the first one the lowest of the first byte. */
  Chosen(DirectoryReader reader, byte[] bits) throws IOException {
    super(reader, new Wrapper(bits));
    this.bits = bits;
    if (bits.length != (reader.numDocs() + 7) / 8) {
      throw new IllegalArgumentException("the chosen documents are those of another commit");
    }
  }

  @Override
  protected DirectoryReader doWrapDirectoryReader(DirectoryReader reader) throws IOException {
    return new Chosen(reader, bits);
  }

  @Override
  public CacheHelper getReaderCacheHelper() {
    return null;
  }

  /** Wraps the segments, one after the other. */
  private static final class Wrapper extends SubReaderWrapper {
    private final byte[] bits;
    private int next;

    Wrapper(byte[] bits) {
      this.bits = bits;
    }

    @Override
    public LeafReader wrap(LeafReader reader) {
      Bits live = reader.getLiveDocs();
      FixedBitSet chosen = new FixedBitSet(reader.maxDoc());
      for (int document = 0; document < reader.maxDoc(); document++) {
        if (live == null || live.get(document)) {
          if (next < 8 * bits.length && (bits[next >> 3] >> (next & 7) & 1) != 0) {
            chosen.set(document);
          }
          next++;
        }
      }
      return new Leaf(reader, chosen);
    }
  }

  /** A segment with other live documents. */
  private static final class Leaf extends FilterLeafReader {
    private final FixedBitSet chosen;
    private final int count;

    Leaf(LeafReader reader, FixedBitSet chosen) {
      super(reader);
      this.chosen = chosen;
      count = chosen.cardinality();
    }

    @Override
    public Bits getLiveDocs() {
      return chosen;
    }

    @Override
    public int numDocs() {
      return count;
    }

    @Override
    public CacheHelper getCoreCacheHelper() {
      return in.getCoreCacheHelper();
    }

    @Override
    public CacheHelper getReaderCacheHelper() {
      return null;
    }
  }
}
