package org.sparseembed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.document.BinaryDocValuesField;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.FieldType;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.index.IndexOptions;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LogDocMergePolicy;
import org.apache.lucene.index.SegmentInfos;
import org.apache.lucene.index.SerialMergeScheduler;
import org.apache.lucene.index.Term;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.MMapDirectory;
import org.apache.lucene.store.NoLockFactory;
import org.apache.lucene.util.BytesRef;

/** Writes an index with the fields that Anserini's searchers read: `id`, `contents` and, stored alone, `raw`. */
public final class Store {
  static final String ID = "id";
  static final String CONTENTS = "contents";
  static final String RAW = "raw";
  static final String LARGEST = "sparseembed.largest";
  private static final Handles<Store> OPEN = new Handles<>();

  private final Directory directory;
  private final KeepUntilReleased policy;
  private final IndexWriter writer;
  private final Field id = new StringField(ID, "", Field.Store.YES);
  private final Field order = new BinaryDocValuesField(ID, new BytesRef());
  private final Field raw = new StoredField(RAW, "");
  private final ImpactStream stream = new ImpactStream();
  private final Field contents;
  private Strings vocabulary = new Strings(new byte[4]);
  private int largest;

  private Store(String folder, String commit, boolean analysed, double megabytes) throws IOException {
    directory = new MMapDirectory(Path.of(folder), NoLockFactory.INSTANCE);
    IndexWriterConfig config = new IndexWriterConfig(analysed ? Words.english() : null);
    config.setOpenMode(commit == null ? IndexWriterConfig.OpenMode.CREATE : IndexWriterConfig.OpenMode.APPEND);
    if (commit != null) {
      dropNewer(commit);
      largest = largest(SegmentInfos.readCommit(directory, commit).getUserData());
      config.setIndexCommit(new NamedCommit(directory, commit));
    }
    policy = new KeepUntilReleased(commit);
    config.setIndexDeletionPolicy(policy);
    config.setMergePolicy(new LogDocMergePolicy()); // merges neighbours only: documents keep their order
    config.setMergeScheduler(new SerialMergeScheduler());
    config.setUseCompoundFile(false);
    config.setCommitOnClose(false);
    config.setRAMBufferSizeMB(megabytes > 0 ? megabytes : buffer());
    writer = new IndexWriter(directory, config);
    FieldType kind = new FieldType();
    kind.setTokenized(true);
    kind.setOmitNorms(!analysed);
    kind.setIndexOptions(IndexOptions.DOCS_AND_FREQS);
    kind.freeze();
    contents = analysed ? new Field(CONTENTS, "", kind) : new Field(CONTENTS, stream, kind);
  }

  /**
   * Opens a folder: anew (its commits stay until `release`), or at a commit, without the others. A buffer of 0 megabytes
   * is a share of the heap.
   */
  public static long open(String folder, String commit, boolean analysed, double megabytes) throws IOException {
    return OPEN.add(new Store(folder, commit, analysed, megabytes));
  }

  /** Takes the terms that the numbers of later blocks name. */
  public static void vocabulary(long handle, byte[] terms) {
    Store store = OPEN.get(handle);
    synchronized (store) {
      store.vocabulary = new Strings(terms);
    }
  }

  /** Adds documents of impacts; `raws` holds their texts, or none at all. */
  public static void add(
      long handle, byte[] ids, byte[] raws, byte[] extra, byte[] bounds, byte[] numbers, byte[] impacts)
      throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      LongBuffer starts = little(bounds).asLongBuffer();
      IntBuffer terms = little(numbers).asIntBuffer();
      ShortBuffer weights = little(impacts).asShortBuffer();
      store.stream.block(store.vocabulary, new Strings(extra), terms, weights);
      for (int place = 0; place < weights.limit(); place++) {
        store.largest = Math.max(store.largest, weights.get(place) & 0xffff);
      }
      store.write(
          new Strings(ids),
          new Strings(raws),
          place -> store.stream.document((int) starts.get(place), (int) starts.get(place + 1)));
    }
  }

  /** Adds documents whose contents the English analyzer takes apart. */
  public static void addTexts(long handle, byte[] ids, byte[] texts) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
      Strings contents = new Strings(texts);
      store.write(
          new Strings(ids), new Strings(new byte[4]), place -> store.contents.setStringValue(contents.get(place)));
    }
  }

  /** Deletes documents by id, in what was added so far; unknown ids are passed over. */
  public static void delete(long handle, byte[] ids) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
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
      store.writer.forceMerge(1);
    }
  }

  /** Commits; gives the commit's file, the number of documents, then each file and its size, as strings. */
  public static byte[] commit(long handle, byte[] data) throws IOException {
    Store store = OPEN.get(handle);
    synchronized (store) {
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

  /** Tells a document's contents by its place in a block. */
  private interface Contents {
    void set(int place);
  }

  private void write(Strings ids, Strings raws, Contents setter) throws IOException {
    boolean stored = raws.size() > 0;
    Document document = new Document();
    document.add(id);
    document.add(order);
    document.add(contents);
    if (stored) {
      document.add(raw);
    }
    BytesRef bytes = new BytesRef();
    for (int place = 0; place < ids.size(); place++) {
      ids.point(place, bytes);
      id.setStringValue(ids.get(place));
      order.setBytesValue(bytes);
      if (stored) {
        raw.setStringValue(raws.get(place));
      }
      setter.set(place);
      writer.addDocument(document);
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

  /** Gives a buffer size, in megabytes, that leaves room in the heap. */
  private static double buffer() {
    return Math.min(512, Math.max(16, Runtime.getRuntime().maxMemory() / (4 << 20)));
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
