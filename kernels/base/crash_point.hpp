// Named places where a test may kill the process as a power cut would. Outside a test they cost a
// look at one pointer.
#pragma once

namespace tidemark {

/// Ends the process with SIGKILL at the n-th pass through this point when the environment says
/// TIDEMARK_CRASH_AT=name or name:n. Any thread.
void crash_point(const char* name);

}  // namespace tidemark
