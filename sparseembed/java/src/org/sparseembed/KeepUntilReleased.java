package org.sparseembed;

import java.util.List;
import org.apache.lucene.index.IndexCommit;
import org.apache.lucene.index.IndexDeletionPolicy;

/** Keeps every commit until `release`: whoever names a commit decides when the ones before it may go. */
final class KeepUntilReleased extends IndexDeletionPolicy {
  private final String opened;
  private boolean releasing;

  /** Keeps, of the commits that stand there, the named one alone; all of them for null. */
  KeepUntilReleased(String opened) {
    this.opened = opened;
  }

  @Override
  public void onInit(List<? extends IndexCommit> commits) {
    for (IndexCommit commit : commits) {
      if (opened != null && !commit.getSegmentsFileName().equals(opened)) {
        commit.delete();
      }
    }
  }

  @Override
  public void onCommit(List<? extends IndexCommit> commits) {
    if (releasing) {
      for (IndexCommit commit : commits.subList(0, commits.size() - 1)) {
        commit.delete();
      }
    }
  }

  void releasing(boolean now) {
    releasing = now;
  }
}
