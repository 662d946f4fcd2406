package io.github.grpo4j.backend.presets;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * Tells JavaCPP how {@code grpo4j/ops.h} becomes {@code io.github.grpo4j.backend.cpu.CpuOps}.
 *
 * <p>Device addresses cross JNI as {@code long}: a {@code Pointer} argument costs a field read and an object for every
 * operand of every kernel call, and a device address is not a Java object's business anyway.
 */
@Properties(
    value = @Platform(value = "linux-x86_64", include = "grpo4j/ops.h", link = "grpo4j", library = "jnigrpo4j"),
    target = "io.github.grpo4j.backend.cpu.CpuOps")
public class CpuOpsConfig implements InfoMapper {
  @Override
  public void map(InfoMap infoMap) {
    infoMap.put(new Info("G4_API").cppTypes().annotations());
    infoMap.put(new Info("g4_ptr", "g4_cptr", "g4_stream").cast().valueTypes("long").pointerTypes("LongPointer"));
  }
}
