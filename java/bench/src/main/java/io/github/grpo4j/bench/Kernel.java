package io.github.grpo4j.bench;

/** The ops of the catalogue that training or decoding spends time in, each at the shapes that {@link KernelCall} gives it. */
public enum Kernel {
  LINEAR,
  LINEAR_BACKWARD_INPUT,
  LINEAR_BACKWARD_WEIGHT,
  LINEAR_DECODE_1,
  LINEAR_DECODE_32,
  LINEAR_DECODE,
  HEAD_DECODE,
  EMBEDDING,
  EMBEDDING_BACKWARD,
  RMS_NORM,
  ADD_RMS_NORM,
  RMS_NORM_BACKWARD,
  ROPE,
  ATTENTION,
  ATTENTION_BACKWARD,
  KV_APPEND,
  ATTENTION_PAGED,
  SWIGLU,
  SWIGLU_BACKWARD,
  LOGPROB,
  LOGPROB_BACKWARD,
  POLICY_LOSS,
  HEAD_LOSS,
  SAMPLE,
  SAMPLE_TOP_P,
  SUM_SQUARES,
  ADAMW,
  PACK_ROWS,
  CAST_PACKED
}
