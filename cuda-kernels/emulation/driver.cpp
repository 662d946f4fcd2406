// The NVIDIA driver, as far as cuDNN asks for it while it plans: code is loaded, and nothing can be run. NVIDIA's own libcudnn makes
// plans for a GPU that is only described to it (CudnnPlanningTest), and this is the driver that it does so on.
//
// The emulated runtime needs no driver; the presets want one beside it.

// Of cuda.h, CUDA 13.1.
enum Result { kSuccess = 0, kNoDevice = 100 };
constexpr int kVersion = 13010;

namespace {

char loaded;  // what every handle points to

int give(void** handle) {
  *handle = &loaded;
  return kSuccess;
}

}  // namespace

extern "C" {

int cuDriverGetVersion(int* version) {
  *version = kVersion;
  return kSuccess;
}

int cuGetErrorName(int, const char** text) {
  *text = "CUDA_ERROR_NO_DEVICE";
  return kSuccess;
}

int cuGetErrorString(int, const char** text) {
  *text = "this driver is emulated";
  return kSuccess;
}

int cuLibraryLoadData(void** library) { return give(library); }
int cuLibraryGetKernel(void** kernel) { return give(kernel); }
int cuLibraryUnload() { return kSuccess; }
int cuModuleLoadData(void** module) { return give(module); }
int cuModuleGetFunction(void** function) { return give(function); }
int cuModuleUnload() { return kSuccess; }
int cuKernelSetAttribute() { return kSuccess; }

int cuKernelGetAttribute(int* value) {
  *value = 0;
  return kSuccess;
}

// These must be there, and there is no device for them.
#define G4_NO_DEVICE(name) \
  int name() { return kNoDevice; }
G4_NO_DEVICE(cuInit)
G4_NO_DEVICE(cuCtxGetCurrent)
G4_NO_DEVICE(cuCtxGetLimit)
G4_NO_DEVICE(cuCtxPopCurrent)
G4_NO_DEVICE(cuCtxPushCurrent)
G4_NO_DEVICE(cuDeviceGet)
G4_NO_DEVICE(cuDeviceGetCount)
G4_NO_DEVICE(cuLaunchCooperativeKernel)
G4_NO_DEVICE(cuLaunchKernel)
G4_NO_DEVICE(cuLaunchKernelEx)
G4_NO_DEVICE(cuLibraryLoadFromFile)
G4_NO_DEVICE(cuLinkAddData)
G4_NO_DEVICE(cuLinkComplete)
G4_NO_DEVICE(cuLinkCreate)
G4_NO_DEVICE(cuLinkDestroy)
G4_NO_DEVICE(cuOccupancyMaxPotentialClusterSize)
G4_NO_DEVICE(cuStreamGetCtx)
G4_NO_DEVICE(cuTensorMapEncodeIm2col)
G4_NO_DEVICE(cuTensorMapEncodeTiled)
#undef G4_NO_DEVICE

}  // extern "C"
