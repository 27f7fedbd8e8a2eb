// The small things of JSON that are done on the bytes themselves: escapes, the grammar of numbers,
// and quoting of input in messages. Any thread; knows no events.
#pragma once

#include <string>
#include <string_view>

namespace tidemark {

/// Undoes the escapes of a JSON string (without its quotes). False: an escape that JSON does not
/// have, or a surrogate without its other half, which no UTF-8 text can hold.
bool unescape_json(std::string_view text, std::string& out);

/// True for exactly the numbers of RFC 8259.
bool is_json_number(std::string_view text);

/// The input in quotes as it may stand in a message: printable ASCII as it is, every other byte as
/// \xNN, at most 48 input bytes and then "...".
std::string quote_for_message(std::string_view text);

}  // namespace tidemark
