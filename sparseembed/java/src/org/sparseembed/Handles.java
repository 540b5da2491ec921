package org.sparseembed;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** Objects that Python names by number: no Java object crosses, so none is ever freed in a thread of Python's. */
final class Handles<T> {
  private final Map<Long, T> open = new ConcurrentHashMap<>();
  private final AtomicLong last = new AtomicLong();

  long add(T object) {
    long handle = last.incrementAndGet();
    open.put(handle, object);
    return handle;
  }

  T get(long handle) {
    T object = open.get(handle);
    if (object == null) {
      throw new IllegalStateException("it is closed");
    }
    return object;
  }

  /** Forgets a handle; null where it was forgotten before. */
  T remove(long handle) {
    return open.remove(handle);
  }
}
