package org.sparseembed;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.util.BytesRef;

/** Blocks of documents that wait to become one segment. Counting sort turns them into lists of documents by term. */
final class Collected {
  /** A block as it came: `extra` has the number of each of its own terms here. */
  private record Block(
      int first, Strings ids, Strings raws, LongBuffer bounds, IntBuffer terms, ShortBuffer impacts, int[] extra) {}

  private final Strings vocabulary;
  private final int[] vocabularyOrder;
  private final Map<BytesRef, Integer> extraNumbers = new HashMap<>();
  private final List<BytesRef> extras = new ArrayList<>();
  private final List<Block> blocks = new ArrayList<>();
  private int documents;
  private long postings;
  private long bytes;
  private int largest;

  Collected(Strings vocabulary, int[] vocabularyOrder) {
    this.vocabulary = vocabulary;
    this.vocabularyOrder = vocabularyOrder;
  }

  /** Gives an empty collection with the same vocabulary. */
  Collected next() {
    return new Collected(vocabulary, vocabularyOrder);
  }

  int documents() {
    return documents;
  }

  int largest() {
    return largest;
  }

  /** Gives about how much memory it needs, that of the lists included. */
  long bytes() {
    return bytes + 6 * postings;
  }

  boolean hasRoom(int more) {
    return postings + more < Integer.MAX_VALUE - 8;
  }

  void add(byte[] ids, byte[] raws, byte[] extra, byte[] bounds, byte[] numbers, byte[] impacts) {
    Strings own = new Strings(extra);
    int[] known = new int[own.size()];
    for (int place = 0; place < known.length; place++) {
      known[place] = number(own.copy(place));
    }
    Strings names = new Strings(ids);
    ShortBuffer weights = little(impacts).asShortBuffer();
    for (int place = 0; place < weights.limit(); place++) {
      largest = Math.max(largest, weights.get(place) & 0xffff);
    }
    blocks.add(
        new Block(
            documents,
            names,
            new Strings(raws),
            little(bounds).asLongBuffer(),
            little(numbers).asIntBuffer(),
            weights,
            known));
    documents += names.size();
    postings += weights.limit();
    bytes += ids.length + raws.length + bounds.length + numbers.length + impacts.length;
  }

  void pointId(int document, BytesRef ref) {
    Block block = block(document);
    block.ids.point(document - block.first, ref);
  }

  String id(int document) {
    Block block = block(document);
    return block.ids.get(document - block.first);
  }

  String raw(int document) {
    Block block = block(document);
    return block.raws.get(document - block.first);
  }

  /** Gives the ids as terms. */
  Lists ids() {
    int[] each = new int[documents + 1];
    for (int document = 0; document <= documents; document++) {
      each[document] = document;
    }
    int[] order = Lists.sorted(documents, this::pointId);
    return new Lists(this::pointId, order, each, Arrays.copyOf(each, documents), null);
  }

  /** Gives the terms with their documents and impacts. */
  Lists contents() {
    int terms = vocabulary.size() + extras.size();
    int[] next = new int[terms + 1];
    for (Block block : blocks) {
      for (int place = 0; place < block.terms.limit(); place++) {
        next[term(block, place) + 1]++;
      }
    }
    for (int term = 0; term < terms; term++) {
      next[term + 1] += next[term];
    }
    int[] starts = next.clone();
    int[] lists = new int[(int) postings];
    short[] impacts = new short[(int) postings];
    for (Block block : blocks) {
      for (int document = 0; document < block.ids.size(); document++) {
        int number = block.first + document;
        for (int place = (int) block.bounds.get(document); place < block.bounds.get(document + 1); place++) {
          int term = term(block, place);
          int target = next[term]++;
          if (target > starts[term] && lists[target - 1] == number) {
            throw new IllegalArgumentException("the document '" + id(number) + "' has a term twice");
          }
          lists[target] = number;
          impacts[target] = block.impacts.get(place);
        }
      }
    }
    return new Lists(this::pointTerm, order(), starts, lists, impacts);
  }

  private int term(Block block, int place) {
    int number = block.terms.get(place);
    return number < vocabulary.size() ? number : block.extra[number - vocabulary.size()];
  }

  private void pointTerm(int term, BytesRef ref) {
    if (term < vocabulary.size()) {
      vocabulary.point(term, ref);
    } else {
      BytesRef extra = extras.get(term - vocabulary.size());
      ref.bytes = extra.bytes;
      ref.offset = extra.offset;
      ref.length = extra.length;
    }
  }

  /** Merges the vocabulary's order and that of the other terms. */
  private int[] order() {
    if (extras.isEmpty()) {
      return vocabularyOrder;
    }
    int known = vocabulary.size();
    int[] others = Lists.sorted(extras.size(), (place, ref) -> pointTerm(known + place, ref));
    int[] order = new int[known + others.length];
    BytesRef one = new BytesRef();
    int left = 0;
    int right = 0;
    for (int place = 0; place < order.length; place++) {
      boolean takeLeft = right == others.length;
      if (!takeLeft && left < known) {
        vocabulary.point(vocabularyOrder[left], one);
        takeLeft = one.compareTo(extras.get(others[right])) < 0;
      }
      order[place] = takeLeft ? vocabularyOrder[left++] : known + others[right++];
    }
    return order;
  }

  /** Gives the number of a term that a block brings, which may be one of the vocabulary all the same. */
  private int number(BytesRef term) {
    Integer found = extraNumbers.get(term);
    if (found == null) {
      found = inVocabulary(term);
      if (found < 0) {
        found = vocabulary.size() + extras.size();
        extras.add(term);
      }
      extraNumbers.put(term, found);
    }
    return found;
  }

  private int inVocabulary(BytesRef term) {
    BytesRef middle = new BytesRef();
    int low = 0;
    int high = vocabularyOrder.length - 1;
    while (low <= high) {
      int between = (low + high) >>> 1;
      vocabulary.point(vocabularyOrder[between], middle);
      int compared = middle.compareTo(term);
      if (compared == 0) {
        return vocabularyOrder[between];
      }
      low = compared < 0 ? between + 1 : low;
      high = compared < 0 ? high : between - 1;
    }
    return -1;
  }

  private Block block(int document) {
    int low = 0;
    int high = blocks.size() - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (blocks.get(middle).first <= document) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return blocks.get(low);
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
