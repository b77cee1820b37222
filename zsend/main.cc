// SPDX-License-Identifier: MIT
// zsend: reads and sends. The story is in sender.cc.
#include "common/base/stop.h"
#include "common/net/openssl_memory.h"
#include "common/ui/program.h"
#include "zsend/options.h"
#include "zsend/sender.h"

int main(int argc, char** argv) {
  zx::forbid_core_dumps();  // keys will live in this process
  zx::wipe_what_openssl_frees();
  return zx::run_program("zsend", [&](zx::Console& console, zx::Ledger& ledger) {
    zx::SendOptions options;
    if (!zx::parse_send_options(argc, argv, &options)) return zx::ExitStatus::Ok;
    return zx::run_send(options, console, ledger);
  });
}
