package org.sparseembed;

import java.io.IOException;
import java.util.Arrays;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.PostingsEnum;
import org.apache.lucene.index.Terms;
import org.apache.lucene.index.TermsEnum;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.util.Bits;
import org.apache.lucene.util.BytesRef;

/** Sums in 64-bit integers over all postings of a query: for scores that a float cannot hold. */
final class ExactSums {
  private static final int WINDOW = 1 << 14;

  private ExactSums() {}

  static void collect(LeafReaderContext context, BytesRef[] terms, int[] weights, TopHits hits) throws IOException {
    Terms indexed = context.reader().terms(Store.CONTENTS);
    if (indexed == null) {
      return;
    }
    hits.segment(context);
    PostingsEnum[] postings = new PostingsEnum[terms.length];
    TermsEnum lookup = indexed.iterator();
    for (int place = 0; place < terms.length; place++) {
      if (lookup.seekExact(terms[place])) {
        postings[place] = lookup.postings(null, PostingsEnum.FREQS);
        postings[place].nextDoc();
      }
    }
    Bits live = context.reader().getLiveDocs();
    long[] sums = new long[WINDOW];
    int documents = context.reader().maxDoc();
    for (int first = 0; first < documents; first += WINDOW) {
      int past = Math.min(documents, first + WINDOW);
      Arrays.fill(sums, 0);
      for (int place = 0; place < terms.length; place++) {
        PostingsEnum posting = postings[place];
        if (posting == null) {
          continue;
        }
        int document = posting.docID();
        for (; document < past; document = posting.nextDoc()) {
          sums[document - first] += (long) weights[place] * posting.freq();
        }
        if (document == DocIdSetIterator.NO_MORE_DOCS) {
          postings[place] = null;
        }
      }
      for (int document = first; document < past; document++) {
        if (sums[document - first] > 0 && (live == null || live.get(document))) {
          hits.offer(document, sums[document - first]);
        }
      }
    }
  }
}
