package io.github.grpo4j.backend.presets;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how {@code grpo4j/ops.h} becomes {@code io.github.grpo4j.backend.cuda.CudaOps}: the same calls as
 * {@code CpuOps}, bound to the CUDA library. What that library leaves to the CUDA runtime and cuBLAS is left out here, so
 * calling it does not compile; what it has beside the catalogue ({@code cuda_ops.h}, {@code offload.h}) is there. Structs of settings
 * lie in host memory for both back ends and are those of {@code CpuOps}.
 */
@Properties(
    value = @Platform(value = "linux-x86_64", include = {"grpo4j/ops.h", "cuda_ops.h", "offload.h"}, link = "grpo4j_cuda", library = "jnigrpo4j_cuda"),
    target = "io.github.grpo4j.backend.cuda.CudaOps")
public class CudaOpsConfig implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("G4_API").cppTypes().annotations());
    infoMap.put(new Info("g4_ptr", "g4_cptr", "g4_stream").cast().valueTypes("long").pointerTypes("LongPointer"));
    for (String struct : new String[] {"g4_token_loss", "g4_sampling", "g4_adamw_settings"}) {
      infoMap.put(new Info(struct).pointerTypes("io.github.grpo4j.backend.cpu.CpuOps." + struct).skip());
    }
    infoMap.put(new Info("g4_stream_create", "g4_stream_destroy", "g4_stream_isa", "g4_alloc", "g4_free").skip());
    infoMap.put(new Info("g4_linear", "g4_linear_backward_input", "g4_linear_backward_weight").skip());
    infoMap.put(new Info("g4_peak_multiply_add", "g4_peak_read").skip());
  }
}
