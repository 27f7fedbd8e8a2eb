// `tidemark topics`. Prints to stdout: a table for people or one JSON object for scripts. The work
// is stream/kafka/topic_admin's.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "stream/kafka/topic_admin.hpp"
#include "tools/commands.hpp"
#include "tools/config_options.hpp"

namespace tidemark {

namespace {

struct Options {
  ConfigOptions config;
  int partitions = 0;
  bool create = false;
  bool json = false;
};

bool was_created(const std::vector<std::string>& created, const TopicStatus& status) {
  return std::find(created.begin(), created.end(), status.plan.topic) != created.end();
}

/// Names and values of topics hold no control characters; quotes and backslashes might come.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void print_json(const std::vector<TopicStatus>& all, const std::vector<std::string>& created) {
  std::string out = "{\"topics\":[";
  const char* comma = "";
  for (const TopicStatus& status : all) {
    std::vector<std::string> differences;
    for (const std::string& text : status.differences) differences.push_back(quoted(text));
    std::vector<std::string> config;
    for (const auto& [name, value] : status.plan.config) {
      config.push_back(quoted(name) + ":" + quoted(value));
    }
    out +=
        fmt::format(R"({}{{"role":{},"topic":{},"partitions":{},"created":{},"differences":[{}],)"
                    R"("recommended":{{"partitions":{},"config":{{{}}}}}}})",
                    comma, quoted(status.plan.role), quoted(status.plan.topic), status.partitions,
                    was_created(created, status), fmt::join(differences, ","),
                    status.plan.partitions, fmt::join(config, ","));
    comma = ",";
  }
  fmt::print("{}]}}\n", out);
}

void print_table(const std::vector<TopicStatus>& all, const std::vector<std::string>& created) {
  std::size_t width = 5;
  for (const TopicStatus& status : all) width = std::max(width, status.plan.topic.size());
  fmt::print("{:<12} {:<{}} {:>10}  {}\n", "role", "topic", width, "partitions", "state");
  for (const TopicStatus& status : all) {
    const bool is_new = was_created(created, status);
    std::string state = is_new ? "created" : "there";
    if (!status.differences.empty()) {
      state = fmt::format("{}", fmt::join(status.differences, "; "));
    }
    fmt::print("{:<12} {:<{}} {:>10}  {}\n", status.plan.role, status.plan.topic, width,
               status.partitions, state);
  }
}

void run(const Options& options) {
  const KafkaSettings kafka = options.config.load().kafka;
  std::vector<std::string> created;
  if (options.create) created = create_topics(kafka, options.partitions);
  const std::vector<TopicStatus> all = describe_topics(kafka, options.partitions);
  options.json ? print_json(all, created) : print_table(all, created);
  std::fflush(stdout);
}

}  // namespace

void add_topics_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("topics", "Show the topics of a configuration; create what is missing");
  options->config.add_to(*command);
  command->add_flag("--create", options->create, "Create what is missing, leave what exists");
  command
      ->add_option("--partitions", options->partitions,
                   fmt::format("Of new topics (default: as payments has, else {}); control has 1",
                               topic_partitions_default))
      ->check(CLI::Range(1, 100'000));
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options] { run(*options); });
}

}  // namespace tidemark
