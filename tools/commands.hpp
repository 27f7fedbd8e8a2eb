// The subcommands of `tidemark`. Each adds itself, with its options, to the program; what it runs
// throws UsageError or RunError.
#pragma once

namespace CLI {
class App;
}

namespace tidemark {

void add_bench_command(CLI::App& app);
void add_checkpoint_command(CLI::App& app);
void add_features_command(CLI::App& app);
void add_generate_command(CLI::App& app);
void add_model_command(CLI::App& app);
void add_redrive_command(CLI::App& app);
void add_replay_command(CLI::App& app);
void add_score_command(CLI::App& app);
void add_serve_command(CLI::App& app);
void add_tables_command(CLI::App& app);
void add_topics_command(CLI::App& app);
void add_verify_command(CLI::App& app);

}  // namespace tidemark
