// Counting bits where the standard library's functions are not marked for devices. Chooses between
// two headers with the same names; the results are the same.
#pragma once

#if defined(__CUDACC__)
#include "kernels/window/bits_portable.hpp"
#else
#include "kernels/window/bits_host.hpp"
#endif
