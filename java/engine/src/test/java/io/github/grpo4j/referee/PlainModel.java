package io.github.grpo4j.referee;

import io.github.grpo4j.model.safetensors.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The built-in model's shape (a Qwen2 of 3 layers, tied head) in double: one sequence at a time, weights by their names in the file. Each
 * piece has its backward pass directly below it.
 */
final class PlainModel {
  static final int HIDDEN = 96;
  static final int INNER = 256;
  static final int LAYERS = 3;
  static final int HEADS = 4;
  static final int KV_HEADS = 2;
  static final int HEAD = HIDDEN / HEADS;
  static final int VOCABULARY = 512;
  private static final double EPS = 1e-6;
  private static final double THETA = 10000;

  final Map<String, double[]> weights;

  PlainModel(Map<String, double[]> weights) {
    this.weights = weights;
  }

  static PlainModel read(Path file) throws IOException {
    Map<String, double[]> weights = new LinkedHashMap<>();
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      for (String name : tensors.tensors().keySet()) {
        weights.put(name, tensors.doubles(name));
      }
    }
    return new PlainModel(weights);
  }

  /** Takes over the weights of another model. */
  void assign(PlainModel other) {
    weights.forEach((name, values) -> System.arraycopy(other.weights.get(name), 0, values, 0, values.length));
  }

  PlainModel copy() {
    Map<String, double[]> copies = new LinkedHashMap<>();
    weights.forEach((name, values) -> copies.put(name, values.clone()));
    return new PlainModel(copies);
  }

  /** A gradient of zeros, by the same names. */
  Map<String, double[]> zeros() {
    Map<String, double[]> zeros = new LinkedHashMap<>();
    weights.forEach((name, values) -> zeros.put(name, new double[values.length]));
    return zeros;
  }

  private static final class Layer {
    double[] x;
    double[] normed;
    double[] q;
    double[] k;
    double[] v;
    double[][] p; // [head] -> [T * T]
    double[] o;
    double[] mid;
    double[] midNormed;
    double[] gate;
    double[] up;
    double[] inner;
  }

  /** A forward pass that was kept for its backward pass. */
  final class Trace {
    final int[] ids;
    final int tokens;
    final Layer[] layers = new Layer[LAYERS];
    double[] last;
    double[] normed;

    private Trace(int[] ids) {
      this.ids = ids;
      this.tokens = ids.length;
    }

    /** The mean over all tokens of what a block gives. */
    double[] meanAfter(int depth) {
      double[] states = depth == LAYERS ? last : layers[depth].x;
      double[] mean = new double[HIDDEN];
      for (int t = 0; t < tokens; t++) {
        axpy(1.0 / tokens, states, t * HIDDEN, mean, 0, HIDDEN);
      }
      return mean;
    }

    /** Logits of the row that predicts the token at {@code position + 1}. */
    double[] logits(int position) {
      double[] head = weights.get("model.embed_tokens.weight");
      double[] logits = new double[VOCABULARY];
      for (int v = 0; v < VOCABULARY; v++) {
        logits[v] = dot(normed, position * HIDDEN, head, v * HIDDEN, HIDDEN);
      }
      return logits;
    }

    /**
     * Adds the gradient of all weights.
     *
     * @param dLogits by position; null where there is none
     */
    void backward(double[][] dLogits, Map<String, double[]> gradient) {
      double[] head = weights.get("model.embed_tokens.weight");
      double[] dHead = gradient.get("model.embed_tokens.weight");
      double[] dNormed = new double[tokens * HIDDEN];
      for (int t = 0; t < tokens; t++) {
        for (int v = 0; dLogits[t] != null && v < VOCABULARY; v++) {
          double d = dLogits[t][v];
          axpy(d, head, v * HIDDEN, dNormed, t * HIDDEN, HIDDEN);
          axpy(d, normed, t * HIDDEN, dHead, v * HIDDEN, HIDDEN);
        }
      }
      double[] dx = rmsNormBackward(dNormed, last, weights.get("model.norm.weight"), gradient.get("model.norm.weight"), tokens);
      for (int l = LAYERS - 1; l >= 0; l--) {
        dx = layerBackward(dx, layers[l], l, gradient, tokens);
      }
      for (int t = 0; t < tokens; t++) {
        axpy(1, dx, t * HIDDEN, dHead, ids[t] * HIDDEN, HIDDEN);
      }
    }
  }

  Trace forward(int[] ids) {
    Trace trace = new Trace(ids);
    double[] embedding = weights.get("model.embed_tokens.weight");
    double[] x = new double[ids.length * HIDDEN];
    for (int t = 0; t < ids.length; t++) {
      System.arraycopy(embedding, ids[t] * HIDDEN, x, t * HIDDEN, HIDDEN);
    }
    for (int l = 0; l < LAYERS; l++) {
      trace.layers[l] = new Layer();
      x = layer(x, trace.layers[l], l, ids.length);
    }
    trace.last = x;
    trace.normed = rmsNorm(x, weights.get("model.norm.weight"), ids.length);
    return trace;
  }

  private double[] weight(int layer, String name) {
    return weights.get("model.layers." + layer + "." + name);
  }

  private double[] layer(double[] x, Layer s, int l, int tokens) {
    s.x = x;
    s.normed = rmsNorm(x, weight(l, "input_layernorm.weight"), tokens);
    s.q = linear(s.normed, weight(l, "self_attn.q_proj.weight"), weight(l, "self_attn.q_proj.bias"), tokens);
    s.k = linear(s.normed, weight(l, "self_attn.k_proj.weight"), weight(l, "self_attn.k_proj.bias"), tokens);
    s.v = linear(s.normed, weight(l, "self_attn.v_proj.weight"), weight(l, "self_attn.v_proj.bias"), tokens);
    rotate(s.q, HEADS, tokens, 1);
    rotate(s.k, KV_HEADS, tokens, 1);
    attention(s, tokens);
    s.mid = x.clone();
    add(s.mid, linear(s.o, weight(l, "self_attn.o_proj.weight"), null, tokens));
    s.midNormed = rmsNorm(s.mid, weight(l, "post_attention_layernorm.weight"), tokens);
    s.gate = linear(s.midNormed, weight(l, "mlp.gate_proj.weight"), null, tokens);
    s.up = linear(s.midNormed, weight(l, "mlp.up_proj.weight"), null, tokens);
    s.inner = new double[s.gate.length];
    for (int i = 0; i < s.inner.length; i++) {
      s.inner[i] = s.gate[i] / (1 + Math.exp(-s.gate[i])) * s.up[i];
    }
    double[] out = s.mid.clone();
    add(out, linear(s.inner, weight(l, "mlp.down_proj.weight"), null, tokens));
    return out;
  }

  private double[] layerBackward(double[] dOut, Layer s, int l, Map<String, double[]> gradient, int tokens) {
    String layer = "model.layers." + l + ".";
    double[] dInner = linearBackward(dOut, s.inner, weight(l, "mlp.down_proj.weight"), gradient.get(layer + "mlp.down_proj.weight"), null, tokens);
    double[] dGate = new double[dInner.length];
    double[] dUp = new double[dInner.length];
    for (int i = 0; i < dInner.length; i++) {
      double sigmoid = 1 / (1 + Math.exp(-s.gate[i]));
      dUp[i] = dInner[i] * s.gate[i] * sigmoid;
      dGate[i] = dInner[i] * s.up[i] * sigmoid * (1 + s.gate[i] * (1 - sigmoid));
    }
    double[] dMidNormed = linearBackward(dGate, s.midNormed, weight(l, "mlp.gate_proj.weight"), gradient.get(layer + "mlp.gate_proj.weight"), null, tokens);
    add(dMidNormed, linearBackward(dUp, s.midNormed, weight(l, "mlp.up_proj.weight"), gradient.get(layer + "mlp.up_proj.weight"), null, tokens));
    double[] dMid = dOut.clone();
    add(dMid, rmsNormBackward(dMidNormed, s.mid, weight(l, "post_attention_layernorm.weight"),
        gradient.get(layer + "post_attention_layernorm.weight"), tokens));
    double[] dO = linearBackward(dMid, s.o, weight(l, "self_attn.o_proj.weight"), gradient.get(layer + "self_attn.o_proj.weight"), null, tokens);
    double[] dQ = new double[s.q.length];
    double[] dK = new double[s.k.length];
    double[] dV = new double[s.v.length];
    attentionBackward(dO, s, dQ, dK, dV, tokens);
    rotate(dQ, HEADS, tokens, -1);
    rotate(dK, KV_HEADS, tokens, -1);
    double[] dNormed = projectionBackward(dQ, s, l, "q_proj", gradient, tokens);
    add(dNormed, projectionBackward(dK, s, l, "k_proj", gradient, tokens));
    add(dNormed, projectionBackward(dV, s, l, "v_proj", gradient, tokens));
    double[] dx = dMid;
    add(dx, rmsNormBackward(dNormed, s.x, weight(l, "input_layernorm.weight"), gradient.get(layer + "input_layernorm.weight"), tokens));
    return dx;
  }

  private double[] projectionBackward(double[] d, Layer s, int l, String name, Map<String, double[]> gradient, int tokens) {
    String full = "model.layers." + l + ".self_attn." + name;
    return linearBackward(d, s.normed, weights.get(full + ".weight"), gradient.get(full + ".weight"), gradient.get(full + ".bias"), tokens);
  }

  private static void attention(Layer s, int tokens) {
    s.p = new double[HEADS][tokens * tokens];
    s.o = new double[tokens * HIDDEN];
    for (int h = 0; h < HEADS; h++) {
      int kv = h * KV_HEADS / HEADS;
      for (int i = 0; i < tokens; i++) {
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j <= i; j++) {
          double score = dot(s.q, i * HIDDEN + h * HEAD, s.k, j * KV_HEADS * HEAD + kv * HEAD, HEAD) / Math.sqrt(HEAD);
          s.p[h][i * tokens + j] = score;
          max = Math.max(max, score);
        }
        double sum = 0;
        for (int j = 0; j <= i; j++) {
          s.p[h][i * tokens + j] = Math.exp(s.p[h][i * tokens + j] - max);
          sum += s.p[h][i * tokens + j];
        }
        for (int j = 0; j <= i; j++) {
          s.p[h][i * tokens + j] /= sum;
          axpy(s.p[h][i * tokens + j], s.v, j * KV_HEADS * HEAD + kv * HEAD, s.o, i * HIDDEN + h * HEAD, HEAD);
        }
      }
    }
  }

  private static void attentionBackward(double[] dO, Layer s, double[] dQ, double[] dK, double[] dV, int tokens) {
    for (int h = 0; h < HEADS; h++) {
      int kv = h * KV_HEADS / HEADS;
      for (int i = 0; i < tokens; i++) {
        double[] dP = new double[i + 1];
        double mean = 0;
        for (int j = 0; j <= i; j++) {
          int at = j * KV_HEADS * HEAD + kv * HEAD;
          double p = s.p[h][i * tokens + j];
          dP[j] = dot(dO, i * HIDDEN + h * HEAD, s.v, at, HEAD);
          mean += p * dP[j];
          axpy(p, dO, i * HIDDEN + h * HEAD, dV, at, HEAD);
        }
        for (int j = 0; j <= i; j++) {
          int at = j * KV_HEADS * HEAD + kv * HEAD;
          double d = s.p[h][i * tokens + j] * (dP[j] - mean) / Math.sqrt(HEAD);
          axpy(d, s.k, at, dQ, i * HIDDEN + h * HEAD, HEAD);
          axpy(d, s.q, i * HIDDEN + h * HEAD, dK, at, HEAD);
        }
      }
    }
  }

  /** Half-rotation layout; the sign -1 turns back. */
  private static void rotate(double[] x, int heads, int tokens, int sign) {
    int half = HEAD / 2;
    for (int t = 0; t < tokens; t++) {
      for (int h = 0; h < heads; h++) {
        for (int i = 0; i < half; i++) {
          double angle = t * Math.pow(THETA, -2.0 * i / HEAD);
          double cos = Math.cos(angle);
          double sin = sign * Math.sin(angle);
          int a = (t * heads + h) * HEAD + i;
          double first = x[a] * cos - x[a + half] * sin;
          x[a + half] = x[a + half] * cos + x[a] * sin;
          x[a] = first;
        }
      }
    }
  }

  private static double[] rmsNorm(double[] x, double[] weight, int tokens) {
    double[] y = new double[x.length];
    for (int t = 0; t < tokens; t++) {
      double inverse = inverseRms(x, t);
      for (int i = 0; i < HIDDEN; i++) {
        y[t * HIDDEN + i] = x[t * HIDDEN + i] * inverse * weight[i];
      }
    }
    return y;
  }

  private static double[] rmsNormBackward(double[] dy, double[] x, double[] weight, double[] dWeight, int tokens) {
    double[] dx = new double[x.length];
    for (int t = 0; t < tokens; t++) {
      double inverse = inverseRms(x, t);
      double sum = 0;
      for (int i = 0; i < HIDDEN; i++) {
        int at = t * HIDDEN + i;
        dWeight[i] += dy[at] * x[at] * inverse;
        sum += dy[at] * weight[i] * x[at];
      }
      for (int i = 0; i < HIDDEN; i++) {
        int at = t * HIDDEN + i;
        dx[at] = inverse * (dy[at] * weight[i] - x[at] * inverse * inverse * sum / HIDDEN);
      }
    }
    return dx;
  }

  private static double inverseRms(double[] x, int t) {
    return 1 / Math.sqrt(dot(x, t * HIDDEN, x, t * HIDDEN, HIDDEN) / HIDDEN + EPS);
  }

  private static double[] linear(double[] x, double[] weight, double[] bias, int tokens) {
    int in = x.length / tokens;
    int out = weight.length / in;
    double[] y = new double[tokens * out];
    for (int t = 0; t < tokens; t++) {
      for (int n = 0; n < out; n++) {
        y[t * out + n] = (bias == null ? 0 : bias[n]) + dot(x, t * in, weight, n * in, in);
      }
    }
    return y;
  }

  private static double[] linearBackward(double[] dy, double[] x, double[] weight, double[] dWeight, double[] dBias, int tokens) {
    int in = x.length / tokens;
    int out = weight.length / in;
    double[] dx = new double[x.length];
    for (int t = 0; t < tokens; t++) {
      for (int n = 0; n < out; n++) {
        double d = dy[t * out + n];
        axpy(d, weight, n * in, dx, t * in, in);
        axpy(d, x, t * in, dWeight, n * in, in);
        if (dBias != null) {
          dBias[n] += d;
        }
      }
    }
    return dx;
  }

  private static double dot(double[] a, int i, double[] b, int j, int n) {
    double sum = 0;
    for (int k = 0; k < n; k++) {
      sum += a[i + k] * b[j + k];
    }
    return sum;
  }

  private static void axpy(double factor, double[] x, int i, double[] y, int j, int n) {
    for (int k = 0; k < n; k++) {
      y[j + k] += factor * x[i + k];
    }
  }

  private static void add(double[] to, double[] what) {
    for (int i = 0; i < to.length; i++) {
      to[i] += what[i];
    }
  }
}
