package org.sparseembed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.index.BinaryDocValues;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.DocValues;
import org.apache.lucene.index.LeafReaderContext;
import org.apache.lucene.index.PostingsEnum;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.BoostQuery;
import org.apache.lucene.search.CollectorManager;
import org.apache.lucene.search.DocIdSetIterator;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.search.similarities.Similarity;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.MMapDirectory;
import org.apache.lucene.store.NoLockFactory;
import org.apache.lucene.util.Bits;
import org.apache.lucene.util.BytesRef;

/** Reads one commit of an index: searches of many queries, and texts of many documents, in one call. */
public final class Reader {
  private static final Handles<Reader> OPEN = new Handles<>();
  private static final long EXACT_FLOAT = 1 << 24;

  static {
    IndexSearcher.setMaxClauseCount(Math.max(IndexSearcher.getMaxClauseCount(), 1 << 20));
  }

  private final Directory directory;
  private final DirectoryReader reader;
  private final Map<String, String> about;
  private final long largest;

  private Reader(String folder, String commit, boolean verify) throws IOException {
    directory = new MMapDirectory(Path.of(folder), NoLockFactory.INSTANCE);
    reader =
        commit == null ? DirectoryReader.open(directory) : DirectoryReader.open(new NamedCommit(directory, commit));
    try {
      if (verify) {
        for (LeafReaderContext leaf : reader.leaves()) {
          leaf.reader().checkIntegrity();
        }
      }
      about = reader.getIndexCommit().getUserData();
      largest = Store.largest(about);
    } catch (Throwable error) {
      reader.close();
      throw error;
    }
  }

  /** Opens a commit by its file's name, or the last one for null; reads every byte of it to `verify`. */
  public static long open(String folder, String commit, boolean verify) throws IOException {
    return OPEN.add(new Reader(folder, commit, verify));
  }

  /** Gives, as strings: the number of documents, the commit's file, then keys and values of the commit's data. */
  public static byte[] about(long handle) throws IOException {
    Reader opened = OPEN.get(handle);
    List<byte[]> answer = new ArrayList<>();
    answer.add(utf8(Integer.toString(opened.reader.numDocs())));
    answer.add(utf8(opened.reader.getIndexCommit().getSegmentsFileName()));
    for (Map.Entry<String, String> entry : opened.about.entrySet()) {
      answer.add(utf8(entry.getKey()));
      answer.add(utf8(entry.getValue()));
    }
    return Strings.pack(answer);
  }

  /**
   * Searches for impact queries: `counts` has the number of terms of each, `terms` and `weights` those of all. `chosen` has
   * a bit for each document that is not deleted, whether it may be a hit; all may for null.
   */
  public static byte[] search(
      long handle, byte[] counts, byte[] terms, byte[] weights, byte[] chosen, int k, int threads) throws IOException {
    return OPEN.get(handle).using(
        opened -> {
          ByteBuffer sizes = ByteBuffer.wrap(counts).order(ByteOrder.LITTLE_ENDIAN);
          ByteBuffer values = ByteBuffer.wrap(weights).order(ByteOrder.LITTLE_ENDIAN);
          Strings names = new Strings(terms);
          int queries = counts.length / 4;
          int[] starts = new int[queries + 1];
          for (int query = 0; query < queries; query++) {
            starts[query + 1] = starts[query] + sizes.getInt(4 * query);
          }
          DirectoryReader all = opened.reader;
          IndexSearcher searcher = searcher(chosen == null ? all : new Chosen(all, chosen), new Impact());
          return Batch.run(
              queries,
              threads,
              query -> {
                int size = starts[query + 1] - starts[query];
                BytesRef[] wanted = new BytesRef[size];
                int[] factors = new int[size];
                for (int place = 0; place < size; place++) {
                  wanted[place] = names.copy(starts[query] + place);
                  factors[place] = values.getInt(4 * (starts[query] + place));
                }
                return opened.impacts(searcher, wanted, factors, k);
              });
        });
  }

  /** Searches for texts with BM25 as Anserini does: the analyzed words, each as often as it stands there. */
  public static byte[] searchTexts(
      long handle, String analyzer, byte[] texts, float k1, float b, int k, int threads) throws IOException {
    return OPEN.get(handle).using(
        opened -> {
          Strings all = new Strings(texts);
          Analyzer words = Words.named(analyzer);
          IndexSearcher searcher = searcher(opened.reader, new BM25Similarity(k1, b));
          return Batch.run(all.size(), threads, place -> opened.words(searcher, words, all.get(place), k));
        });
  }

  /** Gives the stored texts of documents by id; null for an unknown id. */
  public static byte[] texts(long handle, byte[] ids) throws IOException {
    return OPEN.get(handle).using(
        opened -> {
          Strings wanted = new Strings(ids);
          List<byte[]> answer = new ArrayList<>(wanted.size());
          for (int place = 0; place < wanted.size(); place++) {
            int document = opened.find(wanted.copy(place));
            String text =
                document < 0 ? null : opened.reader.storedFields().document(document, Set.of(Store.RAW)).get(Store.RAW);
            answer.add(document < 0 ? null : utf8(text == null ? "" : text));
          }
          return Strings.pack(answer);
        });
  }

  /** Gives the ids of all documents, in the order of their numbers. */
  public static byte[] ids(long handle) throws IOException {
    return OPEN.get(handle).using(
        opened -> {
          List<byte[]> answer = new ArrayList<>(opened.reader.numDocs());
          for (LeafReaderContext leaf : opened.reader.leaves()) {
            BinaryDocValues values = DocValues.getBinary(leaf.reader(), Store.ID);
            Bits live = leaf.reader().getLiveDocs();
            for (int document = values.nextDoc();
                document != DocIdSetIterator.NO_MORE_DOCS;
                document = values.nextDoc()) {
              if (live == null || live.get(document)) {
                answer.add(BytesRef.deepCopyOf(values.binaryValue()).bytes);
              }
            }
          }
          return Strings.pack(answer);
        });
  }

  /** Closes, once no call is using it any more; closing twice is no error. */
  public static void close(long handle) throws IOException {
    Reader opened = OPEN.remove(handle);
    if (opened != null) {
      opened.reader.decRef();
    }
  }

  /** Something that reads. */
  private interface Use {
    byte[] with(Reader opened) throws IOException;
  }

  private byte[] using(Use use) throws IOException {
    if (!reader.tryIncRef()) {
      throw new IllegalStateException("it is closed");
    }
    try {
      return use.with(this);
    } finally {
      reader.decRef();
    }
  }

  private static IndexSearcher searcher(DirectoryReader reader, Similarity similarity) {
    IndexSearcher searcher = new IndexSearcher(reader);
    searcher.setQueryCache(null);
    searcher.setSimilarity(similarity);
    return searcher;
  }

  private Batch.Hits impacts(IndexSearcher searcher, BytesRef[] terms, int[] weights, int k) throws IOException {
    long bound = 0;
    for (int weight : weights) {
      bound += weight * largest;
    }
    if (bound >= EXACT_FLOAT) {
      TopHits hits = new TopHits(k);
      for (LeafReaderContext leaf : searcher.getIndexReader().leaves()) {
        ExactSums.collect(leaf, terms, weights, hits);
      }
      return new Batch.Hits(hits.take(searcher.getIndexReader().leaves()), score -> (double) score);
    }
    BooleanQuery.Builder query = new BooleanQuery.Builder();
    for (int place = 0; place < terms.length; place++) {
      add(query, new Term(Store.CONTENTS, terms[place]), weights[place]);
    }
    return top(searcher, query.build(), k);
  }

  private Batch.Hits words(IndexSearcher searcher, Analyzer analyzer, String text, int k) throws IOException {
    // Grouped in the same map as Anserini's BagOfWordsQueryGenerator has it: the order decides how sums are rounded.
    Map<String, Long> counts =
        Words.of(analyzer, text).stream()
            .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    BooleanQuery.Builder query = new BooleanQuery.Builder();
    for (Map.Entry<String, Long> word : counts.entrySet()) {
      add(query, new Term(Store.CONTENTS, word.getKey()), word.getValue());
    }
    return top(searcher, query.build(), k);
  }

  private static void add(BooleanQuery.Builder query, Term term, float weight) {
    query.add(new BoostQuery(new TermQuery(term), weight), BooleanClause.Occur.SHOULD);
  }

  private static Batch.Hits top(IndexSearcher searcher, Query query, int k) throws IOException {
    TopHits hits = new TopHits(k);
    searcher.search(query, new Alone(hits));
    return new Batch.Hits(hits.take(searcher.getIndexReader().leaves()), score -> (double) Float.intBitsToFloat((int) score));
  }

  /** Finds a document by its id; -1 if there is none. */
  private int find(BytesRef id) throws IOException {
    for (LeafReaderContext leaf : reader.leaves()) {
      PostingsEnum postings = leaf.reader().postings(new Term(Store.ID, id), PostingsEnum.NONE);
      Bits live = leaf.reader().getLiveDocs();
      while (postings != null && postings.nextDoc() != DocIdSetIterator.NO_MORE_DOCS) {
        if (live == null || live.get(postings.docID())) {
          return leaf.docBase + postings.docID();
        }
      }
    }
    return -1;
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** Hands Lucene the one collector of a search in one thread. */
  record Alone(TopHits hits) implements CollectorManager<TopHits, Void> {
    @Override
    public TopHits newCollector() {
      return hits;
    }

    @Override
    public Void reduce(Collection<TopHits> collectors) {
      return null;
    }
  }
}
