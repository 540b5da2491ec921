package org.sparseembed;

import java.util.Collection;
import java.util.Map;
import org.apache.lucene.index.IndexCommit;
import org.apache.lucene.index.SegmentInfos;
import org.apache.lucene.store.Directory;

/** A commit by the name of its file, such as `segments_3`: the other commits of the folder are not looked at. */
final class NamedCommit extends IndexCommit {
  private final Directory directory;
  private final String name;

  NamedCommit(Directory directory, String name) {
    this.directory = directory;
    this.name = name;
  }

  @Override
  public String getSegmentsFileName() {
    return name;
  }

  @Override
  public long getGeneration() {
    return SegmentInfos.generationFromSegmentsFileName(name);
  }

  @Override
  public Directory getDirectory() {
    return directory;
  }

  @Override
  public boolean isDeleted() {
    return false;
  }

  @Override
  public void delete() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Collection<String> getFileNames() {
    throw new UnsupportedOperationException();
  }

  @Override
  public int getSegmentCount() {
    throw new UnsupportedOperationException();
  }

  @Override
  public Map<String, String> getUserData() {
    throw new UnsupportedOperationException();
  }
}
