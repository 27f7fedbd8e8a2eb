// The `tidemark` program: one subcommand a file. Here a failure becomes one line on stderr and the
// exit status: 0 done, 1 the run failed, 2 wrong usage or configuration.
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include "kernels/base/failure.hpp"
#include "tools/commands.hpp"

namespace {

bool knows(CLI::App& app, const std::string& command) {
  const auto all = app.get_subcommands([](CLI::App*) { return true; });
  return std::any_of(all.begin(), all.end(),
                     [&](const CLI::App* one) { return one->check_name(command); });
}

int report(std::string what, int status) {
  std::replace(what.begin(), what.end(), '\n', ' ');  // one line, whoever wrote it
  std::fprintf(stderr, "tidemark: %s\n", what.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  // Standard output belongs to what a command was asked for; the log goes to stderr.
  spdlog::set_default_logger(spdlog::stderr_logger_mt("tidemark"));
  CLI::App app("Tidemark: limits, verdicts and alerts from streams of payments and invoices");
  app.require_subcommand(1);
  app.set_version_flag("--version", TIDEMARK_VERSION);
  tidemark::add_serve_command(app);
  tidemark::add_replay_command(app);
  tidemark::add_score_command(app);
  tidemark::add_features_command(app);
  tidemark::add_tables_command(app);
  tidemark::add_topics_command(app);
  tidemark::add_checkpoint_command(app);
  tidemark::add_verify_command(app);
  tidemark::add_redrive_command(app);
  tidemark::add_generate_command(app);
  tidemark::add_model_command(app);
  tidemark::add_bench_command(app);
  try {
    if (argc > 1 && argv[1][0] != '-' && !knows(app, argv[1])) {
      throw tidemark::UsageError("no command '" + std::string(argv[1]) +
                                 "'; tidemark --help lists them");
    }
    app.parse(argc, argv);
    return EXIT_SUCCESS;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report(error.what(), 2);
  } catch (const tidemark::UsageError& error) {
    return report(error.what(), 2);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}
