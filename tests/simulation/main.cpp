// The command line of the simulation: seeds, plans of faults, and a clock that is real.
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

#include "tests/simulation/run.hpp"

namespace tidemark::simulation {
namespace {

/// The simulated clock stands in for the library's, so this one asks the system.
double real_seconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::string text_of(const RunOptions& options) {
  std::string text = fmt::format("--seed {}", options.seed);
  if (options.small) text += " --small";
  if (options.at_least_once) text += " --at-least-once";
  if (options.standby) text += " --standby";
  if (options.incremental) text += " --incremental";
  for (const Strike& strike : options.plan) {
    text += fmt::format(" --strike {}:{}", strike.step, name_of(strike.fault));
  }
  return text;
}

class Tally {
 public:
  /// False when the run has failed; then it is said how to repeat it.
  bool add(const RunOptions& options) {
    const RunResult result = run(options);
    steps_ += result.steps;
    processes_ += result.processes;
    ++runs_;
    for (int f = 0; f < fault_count; ++f) {
      struck_[static_cast<std::size_t>(f)] += result.struck[static_cast<std::size_t>(f)];
    }
    if (options.trace) std::fputs(result.last_steps.c_str(), stderr);
    if (result.failure.empty()) return true;
    ++failures_;
    fmt::print("WRONG {}\n  simulation {}\n  the last steps:\n{}", result.failure, text_of(options),
               result.last_steps);
    std::fflush(stdout);
    return false;
  }

  void print() const {
    const double seconds = real_seconds() - began_;
    std::string faults;
    for (int f = 0; f < fault_count; ++f) {
      faults += fmt::format(" {} {}", struck_[static_cast<std::size_t>(f)],
                            name_of(static_cast<Fault>(f)));
    }
    fmt::print("{} runs, {} failed; {} steps in {:.1f} s, {:.0f} a second; {} processes;{}\n",
               runs_, failures_, steps_, seconds, static_cast<double>(steps_) / seconds, processes_,
               faults);
  }

  bool good() const { return failures_ == 0; }
  std::uint64_t runs() const { return runs_; }
  double seconds() const { return real_seconds() - began_; }

 private:
  const double began_ = real_seconds();
  std::uint64_t runs_ = 0, failures_ = 0, steps_ = 0, processes_ = 0;
  std::array<std::uint64_t, fault_count> struck_{};
};

/// A small run with one fault at each place where one can strike, then with two: every `stride`th
/// pair, in an order that spreads them over the run.
void exhaust(RunOptions options, std::uint64_t stride, Tally& tally) {
  options.small = true;
  std::vector<Strike> firsts;
  options.opportunities = &firsts;
  if (!tally.add(options)) return;
  std::uint64_t pair = 0;
  for (const Strike& first : firsts) {
    std::vector<Strike> seconds;
    options.plan = {first};
    options.opportunities = &seconds;
    if (!tally.add(options)) return;
    options.opportunities = nullptr;
    for (const Strike& second : seconds) {
      if (second.step <= first.step || stride == 0 || ++pair % stride != 0) continue;
      options.plan = {first, second};
      if (!tally.add(options)) return;
    }
  }
}

Strike parse_strike(const std::string& text) {
  const std::size_t colon = text.find(':');
  for (int f = 0; colon != std::string::npos && f < fault_count; ++f) {
    const auto fault = static_cast<Fault>(f);
    if (text.substr(colon + 1) == name_of(fault)) return {std::stoull(text), fault};
  }
  throw CLI::ValidationError("--strike", "expected STEP:FAULT, got " + text);
}

/// Lines of options as they are printed with a failure; what follows a # is for people.
bool repeat_all(const std::string& file, Tally& tally) {
  std::ifstream in(file);
  if (!in) throw CLI::ValidationError("--list", "cannot read " + file);
  bool good = true;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    RunOptions options;
    bool any = false;
    for (std::string word; words >> word; any = true) {
      if (word == "--small") {
        options.small = true;
      } else if (word == "--at-least-once") {
        options.at_least_once = true;
      } else if (word == "--standby") {
        options.standby = true;
      } else if (word == "--incremental") {
        options.incremental = true;
      } else if (word == "--seed") {
        words >> options.seed;
      } else if (word == "--strike" && words >> word) {
        options.plan.push_back(parse_strike(word));
      } else {
        throw CLI::ValidationError("--list", file + ": unknown word " + word);
      }
    }
    if (any) good = tally.add(options) && good;
  }
  return good;
}

}  // namespace
}  // namespace tidemark::simulation

int main(int argc, char** argv) {
  using namespace tidemark::simulation;
  CLI::App app("A cluster, instances of serve and their faults, in one process, from a seed");
  RunOptions options;
  std::uint64_t count = 1, stride = 0;
  double minutes = 0;
  std::vector<std::string> strikes;
  std::string list;
  bool every_place = false;
  app.add_option("--seed", options.seed, "the first seed");
  app.add_option("--count", count, "how many seeds, one after another");
  app.add_option("--minutes", minutes, "go on with more seeds for so long");
  app.add_flag("--small", options.small, "a few payments, and only the faults that are named");
  app.add_flag("--at-least-once", options.at_least_once, "delivery: at_least_once");
  app.add_flag("--standby", options.standby, "instances follow the partitions that others own");
  app.add_flag("--incremental", options.incremental, "kafka.assignment: consumer");
  app.add_option("--strike", strikes, "STEP:FAULT; may be given several times");
  app.add_flag("--every-place", every_place, "a small run with one fault at each possible place");
  app.add_option("--pair-stride", stride, "with it: two faults too, every so many pairs");
  app.add_option("--list", list, "runs to repeat, one a line");
  app.add_flag("--trace", options.trace, "all steps, on stderr");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_level(options.trace ? spdlog::level::info : spdlog::level::off);
  spdlog::set_pattern("%v");
  Tally tally;
  try {
    for (const std::string& strike : strikes) options.plan.push_back(parse_strike(strike));
    if (!list.empty()) {
      repeat_all(list, tally);
    } else {
      for (std::uint64_t n = 0; n < count || tally.seconds() < 60 * minutes; ++n) {
        if (every_place) {
          exhaust(options, stride, tally);
        } else {
          tally.add(options);
        }
        if (!tally.good()) break;
        ++options.seed;
      }
    }
  } catch (const CLI::Error& error) {
    return app.exit(error);
  }
  tally.print();
  return tally.good() ? 0 : 1;
}
