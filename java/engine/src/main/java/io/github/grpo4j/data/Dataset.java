package io.github.grpo4j.data;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;

/**
 * An immutable, non-empty list of problems.
 *
 * <p>{@link #sha256()} covers every question, answer and solution in order: a checkpoint keeps it, so that a run is never
 * silently resumed on other data.
 */
public final class Dataset implements Iterable<Problem> {
  private final String name;
  private final List<Problem> problems;
  private final String sha256;

  /**
   * @param name what messages and reports call it, usually the file
   * @throws DataException if there is no problem in it
   */
  public Dataset(String name, List<Problem> problems) {
    if (problems.isEmpty()) {
      throw new DataException("The data set " + name + " is empty: it holds no problem to train or evaluate on.");
    }
    this.name = name;
    this.problems = List.copyOf(problems);
    this.sha256 = hash(this.problems);
  }

  public String name() {
    return name;
  }

  public int size() {
    return problems.size();
  }

  /** The problem at a position (0 … size−1), which differs from {@link Problem#index()} once problems were left out. */
  public Problem get(int position) {
    return problems.get(position);
  }

  public List<Problem> problems() {
    return problems;
  }

  /** Lower-case hexadecimal SHA-256 of the content; the name is not part of it. */
  public String sha256() {
    return sha256;
  }

  /** The first {@code count} problems, or this data set where it holds no more than that. */
  public Dataset first(int count) {
    return count >= size() ? this : new Dataset(name, problems.subList(0, count));
  }

  @Override
  public Iterator<Problem> iterator() {
    return problems.iterator();
  }

  @Override
  public String toString() {
    return name + " (" + size() + " problems, sha256 " + sha256.substring(0, 12) + "…)";
  }

  private static String hash(List<Problem> problems) {
    MessageDigest digest = newSha256();
    for (Problem problem : problems) {
      update(digest, problem.question());
      update(digest, problem.answer());
      update(digest, problem.solution());
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** Length first, so that moving a character from one field to the next changes the hash; −1 stands for null. */
  private static void update(MessageDigest digest, String text) {
    byte[] utf8 = text == null ? new byte[0] : text.getBytes(StandardCharsets.UTF_8);
    digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(text == null ? -1 : utf8.length).flip());
    digest.update(utf8);
  }

  static MessageDigest newSha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform must provide SHA-256", e);
    }
  }
}
