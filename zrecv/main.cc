// SPDX-License-Identifier: MIT
// zrecv: receives and writes. The story is in receiver.cc.
#include "common/base/stop.h"
#include "common/net/openssl_memory.h"
#include "common/ui/program.h"
#include "zrecv/options.h"
#include "zrecv/receiver.h"

int main(int argc, char** argv) {
  zx::forbid_core_dumps();  // keys will live in this process
  zx::wipe_what_openssl_frees();
  return zx::run_program("zrecv", [&](zx::Console& console, zx::Ledger& ledger) {
    zx::RecvOptions options;
    if (!zx::parse_recv_options(argc, argv, &options)) return zx::ExitStatus::Ok;
    return zx::run_recv(options, console, ledger);
  });
}
