package org.sparseembed;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.apache.lucene.util.BytesRef;

/**
 * A list of strings in one array: int32 count, int32 end of each, then their UTF-8 bytes; all little-endian. An end of
 * -1 stands for null, in answers only.
 */
final class Strings {
  private final byte[] bytes;
  private final int[] bounds;

  Strings(byte[] packed) {
    ByteBuffer buffer = ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN);
    int count = buffer.getInt();
    int first = 4 + 4 * count;
    bytes = packed;
    bounds = new int[count + 1];
    bounds[0] = first;
    for (int place = 1; place <= count; place++) {
      bounds[place] = first + buffer.getInt();
    }
  }

  int size() {
    return bounds.length - 1;
  }

  /** Points `ref` to a string, without a copy. */
  void point(int place, BytesRef ref) {
    ref.bytes = bytes;
    ref.offset = bounds[place];
    ref.length = bounds[place + 1] - bounds[place];
  }

  BytesRef copy(int place) {
    return BytesRef.deepCopyOf(new BytesRef(bytes, bounds[place], bounds[place + 1] - bounds[place]));
  }

  String get(int place) {
    return new String(bytes, bounds[place], bounds[place + 1] - bounds[place], StandardCharsets.UTF_8);
  }

  /** Packs strings, some of which may be null. */
  static byte[] pack(List<byte[]> strings) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    ByteBuffer head = ByteBuffer.allocate(4 + 4 * strings.size()).order(ByteOrder.LITTLE_ENDIAN);
    head.putInt(strings.size());
    for (byte[] string : strings) {
      if (string != null) {
        all.writeBytes(string);
      }
      head.putInt(string == null ? -1 : all.size());
    }
    byte[] packed = new byte[head.capacity() + all.size()];
    System.arraycopy(head.array(), 0, packed, 0, head.capacity());
    System.arraycopy(all.toByteArray(), 0, packed, head.capacity(), all.size());
    return packed;
  }
}
