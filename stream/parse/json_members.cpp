// See json_members.hpp. Lines are few and may be long, so each is copied once to get its padding.
#include "stream/parse/json_members.hpp"

#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "kernels/base/utf8.hpp"

namespace tidemark {
namespace {

namespace ondemand = simdjson::ondemand;

/// What simdjson does not refuse by itself.
struct Refused {
  std::string why;
};

std::string shown(std::string_view name) {
  return one_line(name, 48);
}

class Members {
 public:
  void add_all(ondemand::object object, const std::string& outer) {
    for (auto field : object) {
      const std::string name = outer + std::string(std::string_view(field.unescaped_key()));
      add(name, field.value(), outer.empty());
    }
  }
  std::vector<JsonMember> take() { return std::move(found_); }

 private:
  void add(const std::string& name, ondemand::value value, bool may_nest) {
    const bool known = std::any_of(found_.begin(), found_.end(), [&](const JsonMember& m) {
      return m.name == name || m.name.starts_with(name + ".");
    });
    if (known) throw Refused{shown(name) + ": is there twice"};
    switch (value.type()) {
      case ondemand::json_type::string:
        put(name, JsonKind::string, std::string_view(value.get_string()));
        break;
      case ondemand::json_type::number: {
        value.get_number().value();  // refuses what is no number
        const std::string_view text = value.raw_json_token();
        put(name, JsonKind::number, text.substr(0, text.find_last_not_of(" \t\r\n") + 1));
        break;
      }
      case ondemand::json_type::boolean:
        put(name, JsonKind::boolean, value.get_bool().value() ? "true" : "false");
        break;
      case ondemand::json_type::null:
        if (!value.is_null().value()) throw Refused{shown(name) + ": is not JSON"};
        put(name, JsonKind::null, {});
        break;
      case ondemand::json_type::object:
        if (!may_nest) throw Refused{shown(name) + ": an object where a plain value belongs"};
        add_all(value.get_object(), name + ".");
        break;
      default:
        throw Refused{shown(name) + ": a list where a plain value belongs"};
    }
  }

  void put(const std::string& name, JsonKind kind, std::string_view text) {
    found_.push_back({name, kind, std::string(text)});
  }

  std::vector<JsonMember> found_;
};

}  // namespace

std::optional<std::vector<JsonMember>> read_json_members(std::string_view text,
                                                         std::string& error) {
  try {
    ondemand::parser parser;
    const simdjson::padded_string padded(text);
    ondemand::document document = parser.iterate(padded);
    Members members;
    members.add_all(document.get_object(), "");
    // There is no location once the tokens have run out.
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
      throw Refused{"there are bytes after the object"};
    }
    return members.take();
  } catch (const Refused& refused) {
    error = refused.why;
  } catch (const simdjson::simdjson_error& broken) {
    error = std::string("is no JSON object: ") + simdjson::error_message(broken.error());
  }
  return std::nullopt;
}

}  // namespace tidemark
