// Marks what compiles for host and device alike. Bodies (`*_body.hpp`) carry it; nothing else needs
// it. Without nvcc it is empty, so the CPU flavour needs no CUDA header.
#pragma once

#if defined(__CUDACC__)
#define TIDEMARK_HD __host__ __device__
#else
#define TIDEMARK_HD
#endif
