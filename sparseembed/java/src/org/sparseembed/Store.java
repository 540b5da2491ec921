package org.sparseembed;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.index.CodecReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LogDocMergePolicy;
import org.apache.lucene.index.SegmentInfos;
import org.apache.lucene.index.SerialMergeScheduler;
import org.apache.lucene.index.Term;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.NIOFSDirectory;
import org.apache.lucene.store.NoLockFactory;

/** Writes an index with the fields that Anserini's searchers read: `id`, `contents` and, stored alone, `raw`. */
public final class Store {
  static final String ID = "id";
  static final String CONTENTS = "contents";
  static final String RAW = "raw";
  static final String LARGEST = "sparseembed.largest";
  // Segments of a new index are merged once, at its end.
  private static final int MERGED_AT_ONCE = 50;
  private static final Handles<Store> OPEN = new Handles<>();

  private final Directory directory;
  private final KeepUntilReleased policy;
  private final IndexWriter writer;
  private final long memory;
  private Collected collected = new Collected(new Strings(new byte[4]), new int[0]);
  private int largest;

  private Store(String folder, String commit, String analyzer, double megabytes) throws IOException {
    // Not mapped: a merge reads all of an index, and its pages would count as memory of the process.
    directory = new NIOFSDirectory(Path.of(folder), NoLockFactory.INSTANCE);
    IndexWriterConfig config = new IndexWriterConfig(analyzer == null ? null : Words.named(analyzer));
    config.setOpenMode(commit == null ? IndexWriterConfig.OpenMode.CREATE : IndexWriterConfig.OpenMode.APPEND);
    if (commit != null) {
      dropNewer(commit);
      largest = largest(SegmentInfos.readCommit(directory, commit).getUserData());
      config.setIndexCommit(new NamedCommit(directory, commit));
    }
    policy = new KeepUntilReleased(commit);
    config.setIndexDeletionPolicy(policy);
    LogDocMergePolicy merges = new LogDocMergePolicy(); // of neighbours only: documents keep their order
    merges.setMergeFactor(commit == null ? MERGED_AT_ONCE : merges.getMergeFactor());
    config.setMergePolicy(merges);
    config.setMergeScheduler(new SerialMergeScheduler());
    config.setUseCompoundFile(false);
    config.setCommitOnClose(false);
    double buffer = megabytes > 0 ? megabytes : share();
    config.setRAMBufferSizeMB(buffer);
    memory = (long) (buffer * (1 << 20));
    writer = new IndexWriter(directory, config);
  }

  /**
   * Opens a folder: anew (its commits stay until `release`), or at a commit, without the others. A buffer of 0 megabytes
   * is a share of the heap. An analyzer takes texts apart; null for impacts.
   */
  public static long open(String folder, String commit, String analyzer, double megabytes) throws IOException {
    return OPEN.add(new Store(folder, commit, analyzer, megabytes));
  }

  /** Takes the terms that the numbers of later blocks name. */
  public static void vocabulary(long handle, byte[] terms) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.flush();
      Strings vocabulary = new Strings(terms);
      store.collected = new Collected(vocabulary, Lists.sorted(vocabulary.size(), vocabulary::point));
    }
  }

  /** Adds documents: ids, stored texts, terms that the vocabulary lacks, and the postings of each. */
  public static void add(
      long handle, byte[] ids, byte[] raws, byte[] extra, byte[] bounds, byte[] numbers, byte[] impacts)
      throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      if (!store.collected.hasRoom(impacts.length / 2)) {
        store.flush();
      }
      store.collected.add(ids, raws, extra, bounds, numbers, impacts);
      if (store.collected.bytes() > store.memory) {
        store.flush();
      }
    }
  }

  /** Adds documents whose contents the analyzer takes apart. */
  public static void addTexts(long handle, byte[] ids, byte[] texts) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      Fields fields = new Fields(true);
      Strings names = new Strings(ids);
      Strings contents = new Strings(texts);
      for (int place = 0; place < names.size(); place++) {
        fields.fill(names, contents, place);
        store.writer.addDocument(fields.document);
      }
    }
  }

  /** Deletes documents by id, in what was added so far; unknown ids are passed over. */
  public static void delete(long handle, byte[] ids) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.flush();
      Strings wanted = new Strings(ids);
      Term[] terms = new Term[wanted.size()];
      for (int place = 0; place < terms.length; place++) {
        terms[place] = new Term(ID, wanted.copy(place));
      }
      store.writer.deleteDocuments(terms);
    }
  }

  /** Merges all segments into one, without what was deleted. */
  public static void merge(long handle) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.flush();
      store.writer.forceMerge(1);
    }
  }

  /** Commits; gives the commit's file, the number of documents, then each file and its size, as strings. */
  public static byte[] commit(long handle, byte[] data) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.flush();
      Strings given = new Strings(data);
      Map<String, String> about = new HashMap<>();
      for (int place = 0; place < given.size(); place += 2) {
        about.put(given.get(place), given.get(place + 1));
      }
      about.put(LARGEST, Integer.toString(store.largest));
      store.writer.setLiveCommitData(about.entrySet());
      store.writer.commit();
      SegmentInfos committed = SegmentInfos.readLatestCommit(store.directory);
      List<byte[]> answer = new ArrayList<>();
      answer.add(utf8(committed.getSegmentsFileName()));
      answer.add(utf8(Integer.toString(store.writer.getDocStats().numDocs)));
      for (String file : committed.files(true)) {
        answer.add(utf8(file));
        answer.add(utf8(Long.toString(store.directory.fileLength(file))));
      }
      return Strings.pack(answer);
    }
  }

  /** Deletes all commits but the last. */
  public static void release(long handle) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.policy.releasing(true);
      store.writer.deleteUnusedFiles();
      store.policy.releasing(false);
    }
  }

  /** Closes; what was not committed is dropped. Closing twice is no error. */
  public static void close(long handle) throws IOException {
    Store store = OPEN.remove(handle);
    if (store != null) {
      synchronized (store) {
        store.writer.rollback();
        store.directory.close();
      }
    }
  }

  /** Writes the collected documents as a segment. */
  private void flush() throws IOException {
    if (collected.documents() > 0) {
      Collected full = collected;
      collected = full.next();
      largest = Math.max(largest, full.largest());
      try (CodecReader model = Fields.model()) {
        writer.addIndexes(new CollectedReader(model, full));
      }
    }
  }

  /** Removes the commits that a crash left after the named one: nobody has named them. */
  private void dropNewer(String commit) throws IOException {
    long generation = SegmentInfos.generationFromSegmentsFileName(commit);
    for (String file : directory.listAll()) {
      if (file.startsWith("segments_") && SegmentInfos.generationFromSegmentsFileName(file) > generation) {
        directory.deleteFile(file);
      }
    }
  }

  /** Gives the largest impact that a commit may hold. */
  static int largest(Map<String, String> about) {
    String known = about.get(LARGEST);
    return known == null ? 0xffff : Integer.parseInt(known);
  }

  /** Gives a buffer size, in megabytes: more makes the process larger, and a build hardly quicker. */
  private static double share() {
    return Math.min(128, Math.max(16, Runtime.getRuntime().maxMemory() / (8 << 20)));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
