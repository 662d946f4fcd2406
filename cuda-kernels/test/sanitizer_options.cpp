// What the sanitizers are set to in every test program.
//
// A test lets a child fault and looks at its signal (runtime_test), so faults are not theirs. What is still allocated at the end
// is no leak that matters here, and looking for leaks needs ptrace, which containers may forbid.
#define G4_OPTIONS extern "C" __attribute__((visibility("default"), no_sanitize("thread"))) const char*

G4_OPTIONS __asan_default_options() { return "handle_segv=0:detect_leaks=0"; }
G4_OPTIONS __tsan_default_options() { return "handle_segv=0"; }
G4_OPTIONS __ubsan_default_options() { return "print_stacktrace=1"; }
