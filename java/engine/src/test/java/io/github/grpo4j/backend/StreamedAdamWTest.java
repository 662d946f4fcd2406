package io.github.grpo4j.backend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.github.grpo4j.testing.Accuracy;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestBackends;
import io.github.grpo4j.testing.TestDevice;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** States in the host's memory are updated as those beside the weights are, to the bit, however they are cut and who updates them. */
class StreamedAdamWTest {
  private static final long[][] SHAPES = {{70, 33}, {101}, {20, 64}, {1}, {3, 300}};
  private static final int STEPS = 3;

  /** Weights, states and gradients of a few parameters on one back end; states beside the weights, or on the host. */
  private static final class Model implements AutoCloseable {
    final TestDevice device = TestDevice.cpu(2);
    final Backend backend = device.backend();
    final List<AdamWState> states = new ArrayList<>();
    final List<Tensor> grads = new ArrayList<>();
    final List<Tensor> onHost = new ArrayList<>();

    Model(DType dtype, boolean host) {
      Random random = new Random(5);
      for (long[] shape : SHAPES) {
        NdArray value = NdArray.random(random, 1, shape);
        NdArray squares = NdArray.random(random, 0.1, shape);
        for (int i = 0; i < squares.values().length; i++) {
          squares.values()[i] *= squares.values()[i];
        }
        Tensor weight = put(dtype, value);
        Tensor master = dtype == DType.F32 ? weight : place(put(DType.F32, value), host);
        states.add(new AdamWState(weight, master, place(put(DType.F32, NdArray.random(random, 0.1, shape)), host),
            place(put(DType.F32, squares), host)));
        grads.add(device.zeros(DType.F32, weight.layout(), shape));
      }
    }

    private Tensor put(DType dtype, NdArray value) {
      return value.shape().length > 1 ? device.packed(dtype, value) : device.tensor(dtype, value);
    }

    private Tensor place(Tensor tensor, boolean host) {
      if (!host) {
        return tensor;
      }
      Tensor moved = backend.allocateHost(tensor.layout(), tensor.shape());
      onHost.add(moved);
      backend.copy(moved, tensor);
      return moved;
    }

    /** Sets the gradients of a step; nothing waits for them to arrive. */
    void setGradients(int step) {
      Random random = new Random(100 + step);
      for (Tensor grad : grads) {
        backend.copy(grad, put(DType.F32, NdArray.random(random, 1, grad.shape())));
      }
    }

    /** Matrices decay. */
    List<AdamWSettings> settings(int step) {
      return states.stream().map(state -> new AdamWSettings(1e-2f, 0.9, 0.99, 1e-8f, state.weight().rank() > 1 ? 0.1f : 0, step, 0.5f)).toList();
    }

    List<NdArray> read() {
      List<NdArray> all = new ArrayList<>();
      for (AdamWState state : states) {
        for (Tensor tensor : List.of(state.weight(), state.master(), state.m(), state.v())) {
          Tensor plain = device.zeros(tensor.dtype(), tensor.layout(), tensor.shape());
          backend.copy(plain, tensor);
          all.add(device.read(plain));
        }
      }
      return all;
    }

    @Override
    public void close() {
      onHost.forEach(Tensor::close);
      assertEquals(0, backend.allocatedHostBytes());
      device.close();
    }
  }

  private static List<NdArray> besideTheWeights(DType dtype) {
    try (Model model = new Model(dtype, false)) {
      for (int step = 1; step <= STEPS; step++) {
        model.setGradients(step);
        for (int i = 0; i < SHAPES.length; i++) {
          AdamWState state = model.states.get(i);
          model.backend.adamw(state.weight(), state.master(), state.m(), state.v(), model.grads.get(i), model.settings(step).get(i));
        }
      }
      return model.read();
    }
  }

  static Stream<Arguments> variants() {
    return Stream.of(Updater.values()).flatMap(updater -> Stream.of(DType.F32, DType.BF16).flatMap(dtype ->
        Stream.of(64, 960, 1 << 14).map(bucket -> Arguments.of(updater, dtype, bucket))));
  }

  @ParameterizedTest
  @MethodSource("variants")
  void bitsAreThoseOfStatesBesideTheWeights(Updater updater, DType dtype, int bucket) {
    try (Model model = new Model(dtype, true)) {
      // Closed before anything is read: on a GPU the lanes must wait for the gradients by themselves.
      try (StreamedAdamW streamed = model.backend.streamedAdamW(model.states, updater, bucket)) {
        for (int step = 1; step <= STEPS; step++) {
          if (step != 2) {
            streamed.prefetch();
          }
          model.setGradients(step);
          streamed.step(model.grads, model.settings(step));
        }
      }
      assertSame(besideTheWeights(dtype), model.read());
    }
  }

  /** Whoever uses the weights next comes after the update, and gradients may be written to again at once. */
  @ParameterizedTest
  @MethodSource("variants")
  void whatIsQueuedBehindAStepSeesItDone(Updater updater, DType dtype, int bucket) {
    try (Model model = new Model(dtype, true);
        StreamedAdamW streamed = model.backend.streamedAdamW(model.states, updater, bucket)) {
      List<NdArray> read = new ArrayList<>();
      for (int step = 1; step <= STEPS; step++) {
        model.setGradients(step);
        streamed.step(model.grads, model.settings(step));
        model.grads.forEach(model.backend::zero);
        read = model.read();
      }
      assertSame(besideTheWeights(dtype), read);
    }
  }

  @Test
  void sizesAreThoseOfTheMemoryPlan() {
    DeviceKind kind = TestBackends.isCuda() ? DeviceKind.CUDA : DeviceKind.CPU;
    for (Updater updater : Updater.values()) {
      try (Model model = new Model(DType.BF16, true)) {
        long device = model.backend.allocatedBytes();
        long host = model.backend.allocatedHostBytes();
        try (StreamedAdamW streamed = model.backend.streamedAdamW(model.states, updater, 6400)) {
          streamed.prefetch();
          assertEquals(kind.streamingDeviceBytes(updater, 6400), model.backend.allocatedBytes() - device);
          assertEquals(kind.streamingHostBytes(updater, 6400), model.backend.allocatedHostBytes() - host);
        }
      }
    }
  }

  @Test
  void otherOpsDoNotReachTheHostsMemory() {
    Assumptions.assumeTrue(TestBackends.isCuda(), "a CPU has one memory");
    try (Model model = new Model(DType.BF16, true)) {
      AdamWState state = model.states.get(0);
      Backend backend = model.backend;
      for (Runnable op : List.<Runnable>of(
          () -> backend.zero(state.m()),
          () -> backend.add(state.m(), state.v()),
          () -> backend.castPacked(state.weight(), state.master()),
          () -> backend.adamw(state.weight(), state.master(), state.m(), state.v(), model.grads.get(0), model.settings(1).get(0)),
          () -> backend.packRows(state.m(), 0, model.device.zeros(DType.BF16, Layout.ROWS, 70, 33)))) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, op::run);
        assertTrue(refused.getMessage().contains("host") || refused.getMessage().contains("F32"), refused.getMessage());
      }
    }
  }

  @Test
  void whatDoesNotFitTogetherIsRefused() {
    try (Model model = new Model(DType.BF16, true)) {
      assertThrows(IllegalArgumentException.class, () -> model.backend.streamedAdamW(model.states, Updater.DEVICE, 100));
      assertThrows(IllegalArgumentException.class, () -> model.backend.streamedAdamW(model.states, Updater.DEVICE, 0));
      try (StreamedAdamW streamed = model.backend.streamedAdamW(model.states, Updater.DEVICE, 64)) {
        List<AdamWSettings> settings = model.settings(1);
        assertThrows(IllegalArgumentException.class, () -> streamed.step(model.grads.subList(0, 2), settings));
        List<Tensor> swapped = new ArrayList<>(model.grads);
        swapped.set(0, model.grads.get(1));
        assertThrows(IllegalArgumentException.class, () -> streamed.step(swapped, settings));
      }
    }
  }

  private static void assertSame(List<NdArray> expected, List<NdArray> actual) {
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      String what = new String[] {"weight", "master", "m", "v"}[i % 4] + " of parameter " + i / 4;
      Accuracy.assertSameBits(what, expected.get(i).values(), actual.get(i).values());
    }
  }
}
