package io.github.grpo4j.jinja;

import java.util.AbstractList;
import java.util.List;
import java.util.RandomAccess;

/** A list in round brackets: differs from other lists in how it prints and in what it equals. */
final class Tuple extends AbstractList<Object> implements RandomAccess {
  private final List<?> items;

  Tuple(List<?> items) {
    this.items = items;
  }

  @Override
  public Object get(int index) {
    return items.get(index);
  }

  @Override
  public int size() {
    return items.size();
  }
}
