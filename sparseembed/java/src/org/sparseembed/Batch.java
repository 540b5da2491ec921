package org.sparseembed;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongToDoubleFunction;

/** Answers many queries, in several threads that end with the batch, and packs the hits. */
final class Batch {
  /** One query's hits, best first, and what their numbers stand for as scores. */
  record Hits(TopHits.Entry[] entries, LongToDoubleFunction score) {}

  /** One query's search. */
  interface Search {
    Hits of(int query) throws IOException;
  }

  private Batch() {}

  static byte[] run(int queries, int threads, Search search) throws IOException {
    Hits[] found = new Hits[queries];
    AtomicInteger next = new AtomicInteger();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Runnable work =
        () -> {
          try {
            for (int query = next.getAndIncrement();
                query < queries && failure.get() == null;
                query = next.getAndIncrement()) {
              found[query] = search.of(query);
            }
          } catch (Throwable error) {
            failure.compareAndSet(null, error);
          }
        };
    Thread[] others = new Thread[Math.max(0, Math.min(threads, queries) - 1)];
    for (int place = 0; place < others.length; place++) {
      others[place] = new Thread(work, "sparseembed-batch");
      others[place].setDaemon(true);
      others[place].start();
    }
    work.run();
    for (Thread other : others) {
      join(other);
    }
    Throwable error = failure.get();
    if (error instanceof IOException) {
      throw (IOException) error;
    } else if (error instanceof RuntimeException) {
      throw (RuntimeException) error;
    } else if (error != null) {
      throw (Error) error;
    }
    return pack(found);
  }

  private static void join(Thread thread) throws IOException {
    try {
      thread.join();
    } catch (InterruptedException error) {
      throw new IOException(error);
    }
  }

  /** Packs: int32 hits of each query, int32 length in code points of each id, float64 scores, the ids in UTF-8. */
  private static byte[] pack(Hits[] found) {
    int hits = 0;
    int bytes = 0;
    for (Hits each : found) {
      hits += each.entries.length;
      for (TopHits.Entry entry : each.entries) {
        bytes += entry.id().length;
      }
    }
    ByteBuffer packed = ByteBuffer.allocate(4 * found.length + 12 * hits + bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (Hits each : found) {
      packed.putInt(each.entries.length);
    }
    for (Hits each : found) {
      for (TopHits.Entry entry : each.entries) {
        packed.putInt(codePoints(entry.id()));
      }
    }
    for (Hits each : found) {
      for (TopHits.Entry entry : each.entries) {
        packed.putDouble(each.score.applyAsDouble(entry.score()));
      }
    }
    for (Hits each : found) {
      for (TopHits.Entry entry : each.entries) {
        packed.put(entry.id());
      }
    }
    return packed.array();
  }

  private static int codePoints(byte[] utf8) {
    int count = 0;
    for (byte each : utf8) {
      count += (each & 0xc0) == 0x80 ? 0 : 1;
    }
    return count;
  }
}
