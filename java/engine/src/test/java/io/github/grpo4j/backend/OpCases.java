package io.github.grpo4j.backend;

import static java.util.Map.entry;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.github.grpo4j.backend.OpCase.Tolerance;
import io.github.grpo4j.backend.OpCase.Tolerances;
import io.github.grpo4j.testing.NdArray;
import io.github.grpo4j.testing.TestDevice;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The op cases: for every op, how to run it, its reference, and the tolerances that the golden values come with. */
final class OpCases {
  private OpCases() {}

  /** The same relative error for all results. */
  private static Tolerances relative(double f32, double bf16) {
    return (dtype, result) -> Tolerance.relative(limit(dtype, f32, bf16));
  }

  /** F16 has three bits more than BF16. */
  static double limit(DType dtype, double f32, double bf16) {
    return switch (dtype) {
      case F32 -> f32;
      case BF16 -> bf16;
      case F16 -> bf16 / 8;
      default -> throw new IllegalArgumentException(dtype + " is no storage type");
    };
  }

  static OpCase rmsNorm(String name, NdArray x, NdArray w, NdArray dy, float eps) {
    return new OpCase("rmsNorm " + name, Map.of("x", x, "w", w, "dy", dy), Set.of("x", "w"), Set.of(),
        in -> Map.of("y", References.rmsNorm(in.get("x"), in.get("w"), eps)),
        (device, dtype, in) -> {
          Backend backend = device.backend();
          Tensor tx = device.tensor(dtype, in.get("x"));
          Tensor tw = device.tensor(dtype, in.get("w"));
          Tensor tdy = device.tensor(dtype, in.get("dy"));
          Tensor y = device.output(dtype, x.shape());
          Tensor dx = device.output(dtype, x.shape());
          Tensor dw = device.zeros(DType.F32, Layout.ROWS, w.shape());
          backend.rmsNorm(y, tx, tw, eps);
          backend.rmsNormBackward(dx, dw, tdy, tx, tw, eps, false);
          Map<String, NdArray> results = results(entry("y", device.read(y)), entry("dx", device.read(dx)), entry("dw", device.read(dw)));
          backend.rmsNormBackward(dx, dw, tdy, tx, tw, eps, true);
          results.put("dx.twice", device.read(dx));
          results.put("dw.twice", device.read(dw));
          return results;
        },
        relative(1e-6, 6e-3));
  }

  static OpCase addRmsNorm(String name, NdArray x, NdArray delta, NdArray w, float eps) {
    return new OpCase("addRmsNorm " + name, Map.of("x", x, "delta", delta, "w", w), Set.of(), Set.of(),
        in -> {
          NdArray sum = in.get("x").copy();
          Arrays.setAll(sum.values(), i -> sum.values()[i] + in.get("delta").values()[i]);
          return Map.of("sum", sum, "y", References.rmsNorm(sum, in.get("w"), eps));
        },
        (device, dtype, in) -> {
          Tensor tx = device.tensor(dtype, in.get("x"));
          Tensor y = device.output(dtype, x.shape());
          device.backend().addRmsNorm(y, tx, device.tensor(dtype, in.get("delta")), device.tensor(dtype, in.get("w")), eps);
          return results(entry("sum", device.read(tx)), entry("y", device.read(y)));
        },
        relative(1e-6, 6e-3));
  }

  static OpCase linear(String name, NdArray x, NdArray w, NdArray b, NdArray dy) {
    return new OpCase("linear " + name, Map.of("x", x, "w", w, "b", b, "dy", dy), Set.of("x", "w", "b"), Set.of(),
        in -> Map.of("y", References.linear(in.get("x"), in.get("w"), in.get("b"))),
        (device, dtype, in) -> {
          Backend backend = device.backend();
          Tensor tx = device.tensor(dtype, in.get("x"));
          Tensor tw = device.packed(dtype, in.get("w"));
          Tensor tb = device.tensor(dtype, in.get("b"));
          Tensor tdy = device.tensor(dtype, in.get("dy"));
          Tensor tdyF32 = device.tensor(DType.F32, in.get("dy"));
          Tensor y = device.output(dtype, x.rows(), w.rows());
          Tensor yF32 = device.output(DType.F32, x.rows(), w.rows());
          Tensor dx = device.output(dtype, x.shape());
          Tensor dw = device.zeros(DType.F32, Layout.PACKED, w.shape());
          Tensor db = device.zeros(DType.F32, Layout.ROWS, b.shape());
          backend.linear(y, tx, tw, tb, false);
          backend.linear(yF32, tx, tw, tb, false);
          backend.linearBackwardInput(dx, tdy, tw, false);
          backend.linearBackwardWeight(dw, db, tdy, tx);
          Map<String, NdArray> results = results(entry("y", device.read(y)), entry("y.f32", device.read(yF32)),
              entry("dx", device.read(dx)), entry("dw", device.read(dw)), entry("db", device.read(db)));
          backend.linear(y, tx, tw, tb, true);
          backend.linearBackwardInput(dx, tdyF32, tw, true);
          backend.linearBackwardWeight(dw, db, tdyF32, tx);
          results.put("y.twice", device.read(y));
          results.put("dx.twice", device.read(dx));
          results.put("dw.twice", device.read(dw));
          results.put("db.twice", device.read(db));
          return results;
        },
        relative(1e-6, 5e-3));
  }

  static OpCase embedding(String name, NdArray w, int[] ids, NdArray dy) {
    return new OpCase("embedding " + name, Map.of("w", w, "dy", dy), Set.of("w"), Set.of(),
        in -> Map.of("y", References.embedding(in.get("w"), ids)),
        (device, dtype, in) -> {
          Backend backend = device.backend();
          Tensor tids = device.ints(ids);
          Tensor y = device.output(dtype, ids.length, w.columns());
          Tensor dw = device.zeros(DType.F32, Layout.PACKED, w.shape());
          Tensor tdy = device.tensor(dtype, in.get("dy"));
          backend.embedding(y, device.packed(dtype, in.get("w")), tids);
          backend.embeddingBackward(dw, tdy, tids);
          Map<String, NdArray> results = results(entry("y", device.read(y)), entry("dw", device.read(dw)));
          backend.embeddingBackward(dw, tdy, tids);
          results.put("dw.twice", device.read(dw));
          return results;
        },
        (dtype, result) -> result.equals("y") ? Tolerance.absolute(0) : Tolerance.relative(1e-6));
  }

  /** The heads lie in the middle of wider rows whose other columns must stay as they are. */
  static OpCase rope(String name, NdArray x, NdArray dy, NdArray cosSin, int[] positions) {
    int guard = 8;
    NdArray border = NdArray.zeros(x.rows(), guard);
    Arrays.fill(border.values(), 1.5);
    OpCase.Reference reference = in -> Map.of("y", References.rope(in.get("x"), in.get("cosSin"), positions),
        "left", border, "right", border);
    return new OpCase("rope " + name, Map.of("x", x, "dy", dy, "cosSin", cosSin), Set.of("x"), Set.of("cosSin"), reference,
        (device, dtype, in) -> {
          Tensor table = device.tensor(DType.F32, in.get("cosSin"));
          Tensor tpositions = device.ints(positions);
          int heads = x.columns() / cosSin.columns();
          Tensor y = device.tensor(dtype, NdArray.concatColumns(border, in.get("x"), border));
          Tensor dx = device.tensor(dtype, NdArray.concatColumns(border, in.get("dy"), border));
          device.backend().rope(y, guard, heads, table, tpositions, false);
          device.backend().rope(dx, guard, heads, table, tpositions, true);
          NdArray all = device.read(y);
          return results(entry("y", all.slice(guard, guard + x.columns())), entry("left", all.slice(0, guard)),
              entry("right", all.slice(guard + x.columns(), all.columns())),
              entry("dx", device.read(dx).slice(guard, guard + x.columns())));
        },
        (dtype, result) -> result.equals("left") || result.equals("right")
            ? Tolerance.absolute(0) : Tolerance.relative(limit(dtype, 2e-6, 6e-3)));
  }

  static OpCase attention(String name, NdArray q, NdArray k, NdArray v, NdArray dO, AttentionShape shape, int[] cuSeqlens) {
    int maxSeqlen = 0;
    for (int b = 0; b + 1 < cuSeqlens.length; b++) {
      maxSeqlen = Math.max(maxSeqlen, cuSeqlens[b + 1] - cuSeqlens[b]);
    }
    int longest = maxSeqlen;
    return new OpCase("attention " + name, Map.of("q", q, "k", k, "v", v, "do", dO), Set.of("q", "k", "v"), Set.of(),
        in -> {
          References.AttentionResult result = References.attention(in.get("q"), in.get("k"), in.get("v"), shape, cuSeqlens);
          return Map.of("o", result.o(), "lse", result.lse());
        },
        (device, dtype, in) -> {
          Backend backend = device.backend();
          Tensor qkv = device.tensor(dtype, NdArray.concatColumns(in.get("q"), in.get("k"), in.get("v")));
          Segments segments = Segments.withoutParents(device.ints(cuSeqlens), longest);
          Tensor o = device.output(dtype, q.rows(), shape.outColumns());
          Tensor lse = device.output(DType.F32, q.rows(), shape.heads());
          Tensor dqkv = device.output(dtype, q.rows(), shape.qkvColumns());
          backend.attention(o, lse, qkv, shape, segments);
          backend.attentionBackward(dqkv, device.tensor(dtype, in.get("do")), o, lse, qkv, shape, segments, null);
          NdArray gradients = device.read(dqkv);
          return results(entry("o", device.read(o)), entry("lse", device.read(lse)),
              entry("dq", gradients.slice(0, shape.kColumn())),
              entry("dk", gradients.slice(shape.kColumn(), shape.vColumn())),
              entry("dv", gradients.slice(shape.vColumn(), shape.qkvColumns())));
        },
        (dtype, result) -> Tolerance.relative(limit(dtype, 3e-6, result.startsWith("d") ? 1.5e-2 : 5e-3)));
  }

  static OpCase swiglu(String name, NdArray gate, NdArray up, NdArray dy) {
    return new OpCase("swiglu " + name, Map.of("gate", gate, "up", up, "dy", dy), Set.of("gate", "up"), Set.of(),
        in -> Map.of("y", References.swiglu(in.get("gate"), in.get("up"))),
        (device, dtype, in) -> {
          Tensor gateUp = device.tensor(dtype, NdArray.concatColumns(in.get("gate"), in.get("up")));
          Tensor y = device.output(dtype, gate.rows(), gate.columns());
          Tensor dGateUp = device.output(dtype, gateUp.shape());
          device.backend().swiglu(y, gateUp);
          Tensor yOverDy = device.tensor(dtype, in.get("dy"));
          device.backend().swigluBackward(dGateUp, yOverDy, yOverDy, gateUp);
          assertArrayEquals(device.read(y).values(), device.read(yOverDy).values(), "the backward pass gives the same y again");
          NdArray gradients = device.read(dGateUp);
          return results(entry("y", device.read(y)), entry("dgate", gradients.slice(0, gate.columns())),
              entry("dup", gradients.slice(gate.columns(), 2 * gate.columns())));
        },
        relative(1e-6, 6e-3));
  }

  private static final Tolerances LOGPROB = (dtype, result) -> switch (result) {
    case "logprob", "lse" -> Tolerance.absolute(5e-5);
    case "entropy" -> Tolerance.absolute(1e-5);
    default -> Tolerance.relative(1e-6);
  };

  /** @param dEntropy may be null */
  static OpCase logprob(String name, NdArray logits, int[] targets, double temperature, NdArray dLogprob, NdArray dEntropy) {
    Map<String, NdArray> inputs = new LinkedHashMap<>(Map.of("logits", logits, "dlogprob", dLogprob));
    if (dEntropy != null) {
      inputs.put("dentropy", dEntropy);
    }
    float invTemperature = (float) (1 / temperature);
    return new OpCase("logprob " + name, inputs, Set.of("logits"), inputs.keySet(),
        in -> {
          References.LogProbResult result = References.logprob(in.get("logits"), targets, invTemperature);
          return Map.of("logprob", result.logprob(), "entropy", result.entropy(), "lse", result.lse());
        },
        (device, dtype, in) -> {
          Tensor tlogits = device.tensor(DType.F32, in.get("logits"));
          Tensor ttargets = device.ints(targets);
          Tensor logprob = device.output(DType.F32, targets.length);
          Tensor entropy = device.output(DType.F32, targets.length);
          Tensor lse = device.output(DType.F32, targets.length);
          device.backend().logprob(logprob, entropy, lse, tlogits, ttargets, invTemperature);
          Tensor tdEntropy = dEntropy == null ? null : device.tensor(DType.F32, in.get("dentropy"));
          device.backend().logprobBackward(
              tlogits, device.tensor(DType.F32, in.get("dlogprob")), tdEntropy, ttargets, invTemperature);
          return results(entry("logprob", device.read(logprob)), entry("entropy", device.read(entropy)),
              entry("lse", device.read(lse)), entry("dlogits", device.read(tlogits)));
        },
        LOGPROB);
  }

  /** Head and log-prob in a chain: logits = h w^T in F32, log-probs, and back to the gradients of h and w. */
  static OpCase linearLogprob(String name, NdArray h, NdArray w, int[] targets, double temperature, NdArray dLogprob) {
    float invTemperature = (float) (1 / temperature);
    return new OpCase("linear and logprob " + name, Map.of("h", h, "w", w, "dlogprob", dLogprob), Set.of("h", "w"), Set.of("dlogprob"),
        in -> {
          NdArray logits = References.linear(in.get("h"), in.get("w"), null);
          References.LogProbResult result = References.logprob(logits, targets, invTemperature);
          return Map.of("logprob", result.logprob(), "entropy", result.entropy());
        },
        (device, dtype, in) -> {
          Backend backend = device.backend();
          Tensor th = device.tensor(dtype, in.get("h"));
          Tensor tw = device.packed(dtype, in.get("w"));
          Tensor ttargets = device.ints(targets);
          Tensor logits = device.output(DType.F32, h.rows(), w.rows());
          Tensor logprob = device.output(DType.F32, h.rows());
          Tensor entropy = device.output(DType.F32, h.rows());
          Tensor dh = device.output(dtype, h.shape());
          Tensor dw = device.zeros(DType.F32, Layout.PACKED, w.shape());
          backend.linear(logits, th, tw, null, false);
          backend.logprob(logprob, entropy, null, logits, ttargets, invTemperature);
          backend.logprobBackward(logits, device.tensor(DType.F32, in.get("dlogprob")), null, ttargets, invTemperature);
          backend.linearBackwardInput(dh, logits, tw, false);
          backend.linearBackwardWeight(dw, null, logits, th);
          return results(entry("logprob", device.read(logprob)), entry("entropy", device.read(entropy)),
              entry("dh", device.read(dh)), entry("dw", device.read(dw)));
        },
        (dtype, result) -> result.startsWith("d")
            ? Tolerance.relative(limit(dtype, 3e-6, 1e-2)) : Tolerance.absolute(limit(dtype, 2e-5, 3e-2)));
  }

  /** Inputs of the policy loss; old, ref, low and high may be null. */
  record PolicyInputs(NdArray weight, NdArray advantage, NdArray old, NdArray ref, NdArray low, NdArray high) {
    double at(NdArray array, int i) {
      return array == null ? Double.NaN : array.values()[i];
    }
  }

  static OpCase policyLoss(String name, NdArray logits, int[] targets, double temperature, PolicyInputs tokens, TokenLoss loss) {
    float invTemperature = (float) (1 / temperature);
    int rows = targets.length;
    NdArray initial = References.logprob(logits, targets, invTemperature).logprob();
    return new OpCase("policyLoss " + name, Map.of("logits", logits, "dloss", NdArray.vector(1)), Set.of("logits"), Set.of("logits", "dloss"),
        in -> {
          References.LogProbResult now = References.logprob(in.get("logits"), targets, invTemperature);
          NdArray slope = NdArray.zeros(rows);
          double total = 0;
          for (int i = 0; i < rows; i++) {
            double logprob = now.logprob().values()[i];
            double step = 1e-5;
            slope.values()[i] = (tokenLoss(tokens, loss, i, logprob + step, initial) - tokenLoss(tokens, loss, i, logprob - step, initial))
                / (2 * step);
            total += tokenLoss(tokens, loss, i, logprob, initial)
                - tokens.weight.values()[i] * loss.entropyCoef() * now.entropy().values()[i];
          }
          return Map.of("logprob", now.logprob(), "entropy", now.entropy(), "dLogprob", slope, "loss", NdArray.vector(total));
        },
        (device, dtype, in) -> {
          Tensor tlogits = device.tensor(DType.F32, in.get("logits"));
          Tensor logprob = device.output(DType.F32, rows);
          Tensor entropy = device.output(DType.F32, rows);
          Tensor slope = device.output(DType.F32, rows);
          TokenInputs inputs = new TokenInputs(device.tensor(DType.F32, tokens.weight), device.tensor(DType.F32, tokens.advantage),
              optional(device, tokens.old), optional(device, tokens.ref), optional(device, tokens.low), optional(device, tokens.high));
          device.backend().policyLoss(logprob, entropy, slope, tlogits, device.ints(targets), inputs, invTemperature, loss);
          return results(entry("logprob", device.read(logprob)), entry("entropy", device.read(entropy)),
              entry("dLogprob", device.read(slope)), entry("dlogits", device.read(tlogits)));
        },
        (dtype, result) -> switch (result) {
          case "logprob" -> Tolerance.absolute(5e-5);
          case "entropy" -> Tolerance.absolute(1e-5);
          default -> Tolerance.relative(2e-6);
        });
  }

  /** On-policy (no old log-prob), the ratio's denominator is the log-prob itself, held fixed. */
  private static double tokenLoss(PolicyInputs tokens, TokenLoss loss, int i, double logprob, NdArray initial) {
    double old = tokens.old == null ? initial.values()[i] : tokens.old.values()[i];
    return References.tokenLoss(loss, tokens.weight.values()[i], tokens.advantage.values()[i], logprob, old,
        tokens.at(tokens.ref, i), tokens.at(tokens.low, i), tokens.at(tokens.high, i));
  }

  private static Tensor optional(TestDevice device, NdArray array) {
    return array == null ? null : device.tensor(DType.F32, array);
  }

  @SafeVarargs
  private static Map<String, NdArray> results(Map.Entry<String, NdArray>... entries) {
    Map<String, NdArray> results = new LinkedHashMap<>();
    for (Map.Entry<String, NdArray> entry : entries) {
      results.put(entry.getKey(), entry.getValue());
    }
    return results;
  }
}
