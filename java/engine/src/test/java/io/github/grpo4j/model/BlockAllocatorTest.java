package io.github.grpo4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class BlockAllocatorTest {
  @Test
  void sharedBlockIsFreedByItsLastOwner() {
    BlockAllocator allocator = new BlockAllocator(2);
    int block = allocator.take();
    allocator.share(block);
    assertTrue(allocator.isShared(block));
    allocator.release(block);
    assertFalse(allocator.isShared(block));
    assertEquals(1, allocator.freeBlocks());
    allocator.release(block);
    assertEquals(2, allocator.freeBlocks());
  }

  @Test
  void misuseIsRefused() {
    BlockAllocator allocator = new BlockAllocator(1);
    assertThrows(IllegalStateException.class, () -> allocator.release(0));
    assertThrows(IllegalStateException.class, () -> allocator.share(0));
    allocator.take();
    assertThrows(IllegalStateException.class, allocator::take);
    allocator.release(0);
    assertThrows(IllegalStateException.class, () -> allocator.release(0));
    assertEquals(1, allocator.freeBlocks());
  }

  @Test
  void noBlockIsGivenTwiceOrLost() {
    Random random = new Random(1);
    BlockAllocator allocator = new BlockAllocator(17);
    List<Integer> owned = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      int choice = random.nextInt(3);
      if (choice == 0 && allocator.freeBlocks() > 0) {
        int block = allocator.take();
        assertFalse(owned.contains(block), "block " + block + " is in use");
        owned.add(block);
      } else if (choice == 1 && !owned.isEmpty()) {
        int block = owned.get(random.nextInt(owned.size()));
        allocator.share(block);
        owned.add(block);
      } else if (!owned.isEmpty()) {
        allocator.release(owned.remove(random.nextInt(owned.size())));
      }
      assertEquals(17 - owned.stream().distinct().count(), allocator.freeBlocks());
    }
    owned.forEach(allocator::release);
    assertEquals(17, allocator.freeBlocks());
  }
}
