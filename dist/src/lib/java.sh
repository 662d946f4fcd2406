# Sourced by the commands of bin/: where everything lies, and how Java is started here.
home=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)

# Native libraries are unpacked beside the program, or where that cannot be written, in the folder for temporary files.
cache=${GRPO4J_CACHE:-$home/cache}
if ! mkdir -p "$cache" 2>/dev/null || [ ! -w "$cache" ]; then cache=${TMPDIR:-/tmp}/grpo4j-cache-$(id -u); fi

# JavaCPP must not count native tensors against the Java heap, which is for texts and metrics.
exec_java() {
  exec "$home/runtime/bin/java" -XX:+UseSerialGC --enable-native-access=ALL-UNNAMED -Dorg.bytedeco.javacpp.maxBytes=0 \
    -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 -Dorg.bytedeco.javacpp.cachedir="$cache" ${GRPO4J_JAVA_OPTS:--Xmx2g} "$@"
}

# GRPO4J_CLASSPATH: jars of the user, whose classes a configuration may name.
exec_grpo4j() {
  exec_java -cp "$home/lib/grpo4j.jar${GRPO4J_CLASSPATH:+:$GRPO4J_CLASSPATH}" io.github.grpo4j.cli.Main "$@"
}

grpo4j() {
  (exec_grpo4j "$@")
}

# cuda if the back end can be used here, else cpu.
best_device() {
  if grpo4j doctor --json | grep -q '"cuda_usable":true'; then echo cuda; else echo cpu; fi
}
