package io.github.grpo4j.backend;

import io.github.grpo4j.testing.NdArray;

/** What the ops of {@code grpo4j/ops.h} compute, in the plainest double arithmetic. */
final class References {
  private References() {}

  static NdArray rmsNorm(NdArray x, NdArray w, double eps) {
    NdArray y = NdArray.zeros(x.rows(), x.columns());
    for (int r = 0; r < x.rows(); r++) {
      double squares = 0;
      for (int c = 0; c < x.columns(); c++) {
        squares += x.get(r, c) * x.get(r, c);
      }
      double scale = 1 / Math.sqrt(squares / x.columns() + eps);
      for (int c = 0; c < x.columns(); c++) {
        y.values()[r * x.columns() + c] = x.get(r, c) * scale * w.values()[c];
      }
    }
    return y;
  }

  /** {@code x w^T + bias}; bias may be null. */
  static NdArray linear(NdArray x, NdArray w, NdArray bias) {
    NdArray y = NdArray.zeros(x.rows(), w.rows());
    for (int m = 0; m < x.rows(); m++) {
      for (int n = 0; n < w.rows(); n++) {
        y.values()[m * w.rows() + n] = (bias == null ? 0 : bias.values()[n])
            + dot(x.values(), m * x.columns(), w.values(), n * x.columns(), x.columns());
      }
    }
    return y;
  }

  static NdArray embedding(NdArray w, int[] ids) {
    NdArray y = NdArray.zeros(ids.length, w.columns());
    for (int t = 0; t < ids.length; t++) {
      System.arraycopy(w.values(), ids[t] * w.columns(), y.values(), t * w.columns(), w.columns());
    }
    return y;
  }

  /** Cosines in the first half of the columns, sines in the second. */
  static NdArray cosSin(double theta, int positions, int headDim) {
    NdArray table = NdArray.zeros(positions, headDim);
    int half = headDim / 2;
    for (int p = 0; p < positions; p++) {
      for (int j = 0; j < half; j++) {
        double angle = p * Math.pow(theta, -2.0 * j / headDim);
        table.values()[p * headDim + j] = Math.cos(angle);
        table.values()[p * headDim + half + j] = Math.sin(angle);
      }
    }
    return table;
  }

  static NdArray rope(NdArray x, NdArray cosSin, int[] positions) {
    NdArray y = NdArray.zeros(x.rows(), x.columns());
    int headDim = cosSin.columns();
    int half = headDim / 2;
    for (int t = 0; t < x.rows(); t++) {
      for (int head = 0; head < x.columns(); head += headDim) {
        for (int j = 0; j < half; j++) {
          double cos = cosSin.get(positions[t], j);
          double sin = cosSin.get(positions[t], half + j);
          double a = x.get(t, head + j);
          double b = x.get(t, head + half + j);
          y.values()[t * x.columns() + head + j] = a * cos - b * sin;
          y.values()[t * x.columns() + head + half + j] = b * cos + a * sin;
        }
      }
    }
    return y;
  }

  /** Outputs and log-sum-exps of causal attention inside each sequence. */
  record AttentionResult(NdArray o, NdArray lse) {}

  static AttentionResult attention(NdArray q, NdArray k, NdArray v, AttentionShape shape, int[] cuSeqlens) {
    int dim = shape.headDim();
    int queryColumns = shape.outColumns();
    int keyColumns = shape.kvHeads() * dim;
    NdArray o = NdArray.zeros(q.rows(), queryColumns);
    NdArray lse = NdArray.zeros(q.rows(), shape.heads());
    for (int b = 0; b + 1 < cuSeqlens.length; b++) {
      for (int t = cuSeqlens[b]; t < cuSeqlens[b + 1]; t++) {
        for (int h = 0; h < shape.heads(); h++) {
          int query = t * queryColumns + h * dim;
          int keyHead = cuSeqlens[b] * keyColumns + h / (shape.heads() / shape.kvHeads()) * dim;
          double[] scores = new double[t - cuSeqlens[b] + 1];
          double max = Double.NEGATIVE_INFINITY;
          for (int s = 0; s < scores.length; s++) {
            scores[s] = dot(q.values(), query, k.values(), keyHead + s * keyColumns, dim) / Math.sqrt(dim);
            max = Math.max(max, scores[s]);
          }
          double sum = 0;
          for (int s = 0; s < scores.length; s++) {
            scores[s] = Math.exp(scores[s] - max);
            sum += scores[s];
          }
          lse.values()[t * shape.heads() + h] = max + Math.log(sum);
          for (int s = 0; s < scores.length; s++) {
            for (int j = 0; j < dim; j++) {
              o.values()[query + j] += scores[s] / sum * v.values()[keyHead + s * keyColumns + j];
            }
          }
        }
      }
    }
    return new AttentionResult(o, lse);
  }

  private static double dot(double[] a, int fromA, double[] b, int fromB, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += a[fromA + i] * b[fromB + i];
    }
    return sum;
  }

  static NdArray swiglu(NdArray gate, NdArray up) {
    NdArray y = NdArray.zeros(gate.rows(), gate.columns());
    for (int i = 0; i < y.values().length; i++) {
      y.values()[i] = gate.values()[i] / (1 + Math.exp(-gate.values()[i])) * up.values()[i];
    }
    return y;
  }

  /** Per row of {@code softmax(logits * invTemperature)}: log-prob of the target, entropy in nats, log-sum-exp. */
  record LogProbResult(NdArray logprob, NdArray entropy, NdArray lse) {}

  static LogProbResult logprob(NdArray logits, int[] targets, double invTemperature) {
    int rows = logits.rows();
    LogProbResult result = new LogProbResult(NdArray.zeros(rows), NdArray.zeros(rows), NdArray.zeros(rows));
    for (int r = 0; r < rows; r++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int v = 0; v < logits.columns(); v++) {
        max = Math.max(max, logits.get(r, v) * invTemperature);
      }
      double sum = 0;
      double weighted = 0;
      for (int v = 0; v < logits.columns(); v++) {
        double shifted = logits.get(r, v) * invTemperature - max;
        sum += Math.exp(shifted);
        weighted += Math.exp(shifted) * shifted;
      }
      double logSum = Math.log(sum);
      result.lse.values()[r] = max + logSum;
      result.entropy.values()[r] = logSum - weighted / sum;
      result.logprob.values()[r] = logits.get(r, targets[r]) * invTemperature - max - logSum;
    }
    return result;
  }

  /** The loss of one token without its entropy term, per {@code g4_token_loss}; old, ref, low and high may be NaN: absent. */
  static double tokenLoss(TokenLoss loss, double weight, double advantage, double now, double old, double ref, double low, double high) {
    if (loss.kind() == TokenLoss.Kind.LINEAR) {
      return weight * now;
    }
    double ratio = Math.exp(now - old);
    double clipped = Double.isNaN(low) ? ratio : Math.max(low, Math.min(high, ratio));
    double objective = Math.min(Math.min(ratio, loss.ratioCap()) * advantage, clipped * advantage);
    if (advantage < 0) {
      objective = Math.max(objective, -loss.dualClip() * Math.abs(advantage));
    }
    double d = ref - now;
    double kl = switch (loss.kl()) {
      case NONE -> 0;
      case K1 -> -d;
      case K2 -> d * d / 2;
      case K3 -> Math.expm1(d) - d;
    };
    return weight * (-objective + loss.klCoef() * kl * (loss.klTimesRatio() ? ratio : 1));
  }
}
