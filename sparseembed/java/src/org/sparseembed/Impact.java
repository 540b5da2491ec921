package org.sparseembed;

import org.apache.lucene.index.FieldInvertState;
import org.apache.lucene.search.CollectionStatistics;
import org.apache.lucene.search.TermStatistics;
import org.apache.lucene.search.similarities.Similarity;

/** Scores weight x impact, the impact being the stored frequency. */
final class Impact extends Similarity {
  @Override
  public long computeNorm(FieldInvertState state) {
    return 1;
  }

  @Override
  public SimScorer scorer(float weight, CollectionStatistics collection, TermStatistics... terms) {
    return new Product(weight);
  }

  static final class Product extends SimScorer {
    private final float weight;

    Product(float weight) {
      this.weight = weight;
    }

    @Override
    public float score(float frequency, long norm) {
      return weight * frequency;
    }
  }
}
