// Numbers of JSON models, of which a file has millions. Called by the JSON reader only.
#pragma once

namespace tidemark {

/// Reads the number at `at`, whose text ends with another character, and returns where it ends;
/// null where there is none, or none that fits a float32. With a point or an exponent it is the
/// nearest float32, without them exact up to 2^53. NaN and infinities, which XGBoost writes and
/// JSON does not have, are numbers; true and false are 1 and 0.
const char* read_json_number(const char* at, double& value);

}  // namespace tidemark
