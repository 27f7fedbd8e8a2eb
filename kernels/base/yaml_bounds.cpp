// See yaml_bounds.hpp.
#include "kernels/base/yaml_bounds.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <sstream>
#include <vector>

namespace tidemark {
namespace {

class Bounds final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { count(mark); }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string&) override {
    count(mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "an alias (*name): write the value out");
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, false);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, true);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Container {
    bool is_map = false;
    int children = 0;
  };

  void open(const YAML::Mark& mark, bool is_map) {
    count(mark);
    open_.push_back({is_map, 0});
    if (open_.size() > static_cast<std::size_t>(yaml_depth_max)) {
      throw YAML::ParserException(
          mark, "nested deeper than " + std::to_string(yaml_depth_max) + " times");
    }
  }

  void count(const YAML::Mark& mark) {
    if (++nodes_ > yaml_nodes_max) {
      throw YAML::ParserException(mark, "more than " + std::to_string(yaml_nodes_max) + " values");
    }
    if (open_.empty()) return;
    Container& parent = open_.back();
    if (++parent.children > 2 * yaml_keys_max && parent.is_map) {
      throw YAML::ParserException(
          mark, "more than " + std::to_string(yaml_keys_max) + " keys in one mapping");
    }
  }

  std::vector<Container> open_;
  int nodes_ = 0;
};

}  // namespace

void check_yaml_bounds(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Bounds bounds;
  while (parser.HandleNextDocument(bounds)) {
  }
}

}  // namespace tidemark
